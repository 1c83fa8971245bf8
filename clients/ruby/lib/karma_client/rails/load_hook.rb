# frozen_string_literal: true

module KarmaClient
  # Loads the railtie whether Rails is loaded before this gem, as Bundler.require does it, or after it.
  #
  # Nothing of Rails need be there yet, and loading ActiveSupport for its load hooks would choose its version for a
  # program that wants another one, or none. So Ruby is asked to say when class bodies end, until that of Rails::Railtie
  # has, or until the first client is made: an application connects after it has loaded its framework, and a program
  # without Rails is not watched while it works.
  # @api private
  module LoadHook
    RAILTIE = "karma_client/railtie"
    private_constant :RAILTIE

    # @return [void]
    def self.install
      return require(RAILTIE) if defined?(::Rails::Railtie)

      @trace = TracePoint.new(:end) { |point| found if railtie?(point.self) }
      @trace.enable
    end

    # @return [void]
    def self.stop
      @trace&.disable
      @trace = nil
    end

    # @return [Boolean]
    def self.watching?
      !@trace.nil?
    end

    # Singleton classes and classes inside of Rails::Railtie end before it is complete.
    def self.railtie?(ended)
      defined?(::Rails::Railtie) && ended.equal?(::Rails::Railtie)
    end
    private_class_method :railtie?

    def self.found
      stop
      require RAILTIE
    end
    private_class_method :found
  end
end
