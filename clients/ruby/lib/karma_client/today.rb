# frozen_string_literal: true

require_relative "errors"
require_relative "input"

module KarmaClient
  # Which day it is somewhere.
  # @private
  module Today
    OFFSET = /\A(?:UTC|Z|[+-]\d\d:?\d\d)\z/
    private_constant :OFFSET

    module_function

    # @param zone [nil, String, #now] nil: UTC; "+03:00"; with ActiveSupport or tzinfo loaded a name such as
    #   "Europe/Berlin"; or a time zone of either
    # @return [Integer] such as 20260505
    def in(zone = nil)
      Input.day_of_time(zone.nil? ? Time.now.getutc : now(zone))
    end

    def now(zone)
      return zone.now if zone.respond_to?(:now)
      raise InputError, "zone must be a name, an offset or a time zone" unless zone.is_a?(String)
      return Time.now(in: zone.sub(/\A([+-]\d\d)(\d\d)\z/, '\1:\2')) if OFFSET.match?(zone)

      named(zone).now
    rescue ArgumentError
      raise InputError, "zone #{zone} is not known"
    end

    def named(name)
      found = if Time.respond_to?(:find_zone)
                Time.find_zone(name)
              elsif defined?(::TZInfo::Timezone)
                begin
                  ::TZInfo::Timezone.get(name)
                rescue ::TZInfo::InvalidTimezoneIdentifier
                  nil
                end
              end
      found || raise(InputError, "zone #{name} is not known; names need ActiveSupport or tzinfo")
    end
  end
end
