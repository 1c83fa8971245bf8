# frozen_string_literal: true

module KarmaClient
  module Testing
    # A request that the server answers with an error.
    # @api private
    class Refused < StandardError
      # @return [String] the +error_code+ of the reply
      attr_reader :code

      def initialize(code, message)
        super(message)
        @code = code
      end
    end

    # For whatever looks at requests.
    # @api private
    module Refusing
      private

      def refuse(message)
        raise Refused.new("validation_error", message)
      end
    end
  end
end
