# frozen_string_literal: true

require "karma_client/testing"

module KarmaClient
  module Testing
    # Gives each test an empty node.
    #
    # @example
    #   require "karma_client/testing/minitest"
    #
    #   class ActiveSupport::TestCase
    #     include KarmaClient::Testing::Minitest
    #   end
    #
    #   assert_difference -> { karma.total("links", 42) } do
    #     get "/links/42"
    #   end
    module Minitest
      # What Minitest calls before the setup of a test.
      def before_setup
        Testing.reset!
        super
      end

      # @return [Module] {KarmaClient::Testing}
      def karma
        Testing
      end

      # Fails unless the block sends so many requests to Karma; for N+1s.
      # @return [Object] the value of the block
      def assert_karma_requests(count)
        before = Testing.requests.size
        result = yield
        sent = Testing.requests.drop(before).map { |request| request["op"] }
        assert_equal count, sent.size, "Requests to Karma: #{sent.inspect}"
        result
      end
    end
  end
end
