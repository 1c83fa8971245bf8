# frozen_string_literal: true

require "socket"
require_relative "clock"

module KarmaClient
  # Looks up the addresses of a host, within a time: the resolver knows none, and cannot be interrupted.
  # @private
  module Addresses
    # An address, not a name.
    NUMERIC = /\A[\d.]+\z|:/
    private_constant :NUMERIC

    module_function

    # @param limit [Float] moment of {Clock}
    # @return [Array<Addrinfo>]
    # @raise [SocketError, Errno::ETIMEDOUT]
    def of(host, port, limit)
      return look_up(host, port) if limit == Float::INFINITY || NUMERIC.match?(host)

      # It is left to itself when the time is over.
      thread = Thread.new { look_up(host, port) }
      thread.report_on_exception = false
      thread.join(Clock.until(limit)) || raise(Errno::ETIMEDOUT, "looking up #{host}")
      thread.value
    end

    def look_up(host, port)
      Addrinfo.getaddrinfo(host, port, nil, :STREAM)
    end
  end
end
