# frozen_string_literal: true

require "digest"

module KarmaClient
  module Testing
    # Tells whether two writes under one idempotency key are the same write, as the server does.
    # @api private
    module Fingerprint
      # @param command [String] the server's own name of the op
      # @param fields [Hash{String => Object}, Array<Array(String, Object)>] what the op does, in the server's order
      # @return [String] SHA-256 in lowercase hexadecimal digits
      def self.of(command, fields)
        Digest::SHA256.hexdigest([["command", command], *fields].map { |name, value| line(name, value) }.join)
      end

      def self.line(name, value)
        case value
        when nil then "#{name}:n\n"
        when String then "#{name}:s:#{value.bytesize}:#{value}\n"
        else "#{name}:#{name.end_with?('_count') ? 'i' : 'u'}:#{value}\n"
        end
      end
      private_class_method :line
    end
  end
end
