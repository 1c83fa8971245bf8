# frozen_string_literal: true

module KarmaClient
  # What a Rails application says about Karma.
  # @api private
  class RailsSettings
    FILE = :karma
    private_constant :FILE

    # @param app [Rails::Application]
    def initialize(app)
      @app = app
    end

    # @param configuration [Configuration] has the settings of the environment already
    # @return [void]
    # @raise [ConfigurationError] for an unknown setting in config/karma.yml
    def apply(configuration)
      configuration.instrumenter ||= ActiveSupport::Notifications
      configuration.logger ||= ::Rails.logger
      apply_file(configuration)
      apply_options(configuration, @app.config.karma_client.to_h)
    end

    private

    # A setting without a value, as `url: <%= ENV["KARMA_URL"] %>` may come out, is none.
    def apply_file(configuration)
      return unless file?

      section = @app.config_for(FILE)
      raise ConfigurationError, "There is no section for #{::Rails.env}; `#{::Rails.env}: {}` will do" if section.nil?

      configuration.assign(section.to_h.compact)
    rescue ConfigurationError => e
      raise e.class, "config/#{FILE}.yml: #{e.message}"
    end

    def file?
      @app.paths["config"].existent.any? { |directory| File.file?(File.join(directory, "#{FILE}.yml")) }
    end

    # The gem of 1.0 ignored options that it did not know. Applications that have some must start.
    def apply_options(configuration, options)
      known, unknown = options.partition { |name, _| configuration.respond_to?(:"#{name}=") }
      configuration.assign(known.to_h)
      return if unknown.empty?

      configuration.logger&.warn("config.karma_client: there is no #{unknown.map(&:first).join(', ')}")
    end
  end
end
