# frozen_string_literal: true

require "json"
require_relative "catalog"

module KarmaClient
  # One request, encoded once, however often it is sent.
  class Command
    # @return [String] name on the wire
    attr_reader :operation
    # @return [String, nil]
    attr_reader :series

    # @param fields [Hash{String, Symbol => Object}] nil: left out
    def initialize(operation, fields, token = nil)
      @operation = operation
      @series = fields["series"]
      @keyed = !fields["idempotency_key"].nil? && Catalog.keyed?(operation)
      request = { "v" => 2, "op" => operation }
      request["token"] = token if token
      fields.each { |name, value| request[name] = value unless value.nil? }
      @body = JSON.generate(request).chop
    end

    def read?
      Catalog.read?(operation)
    end

    # Does it come to the same, however often it is applied?
    def repeatable?
      @keyed || read?
    end

    # @param id [Integer] comes back in the answer
    # @return [String] with its line end
    def line(id)
      "#{@body},\"id\":#{id}}\n"
    end
  end
end
