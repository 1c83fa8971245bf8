# frozen_string_literal: true

require "karma_client/testing"

# Gives each example an empty node. In examples, +karma+ is {KarmaClient::Testing}:
#
#   require "karma_client/testing/rspec"
#
#   it "counts" do
#     expect { get "/links/42" }.to change { karma.total("links", 42) }.by(1)
#   end
module KarmaClient
  module Testing
    # What examples see.
    module RSpecHelper
      # @return [Module] {KarmaClient::Testing}
      def karma
        Testing
      end
    end
  end
end

RSpec.configure do |config|
  config.include KarmaClient::Testing::RSpecHelper
  config.before { KarmaClient::Testing.reset! }
  config.after(:suite) { KarmaClient::Testing.stop }
end
