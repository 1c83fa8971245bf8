# frozen_string_literal: true

module KarmaClient
  # What a Rails application says about Karma.
  # @api private
  class RailsSettings
    # Without `config.karma_client.settings_file`. An application may have had a file of that name before.
    FILE = :karma
    private_constant :FILE

    # @param app [Rails::Application]
    def initialize(app)
      @app = app
      @options = app.config.karma_client.to_h
      @file = @options.delete(:settings_file) { FILE }
    end

    # @param configuration [Configuration] has the settings of the environment already
    # @return [void]
    # @raise [ConfigurationError] the file has an unknown setting, or is no file of settings
    def apply(configuration)
      configuration.instrumenter ||= ActiveSupport::Notifications
      configuration.logger ||= ::Rails.logger
      apply_file(configuration) if @file
      apply_options(configuration, @options)
    end

    private

    # A setting without a value, as `url: <%= ENV["KARMA_URL"] %>` may come out, is none.
    def apply_file(configuration)
      return unless file?

      configuration.assign(section.to_h.compact)
    rescue ConfigurationError => e
      raise e.class, "config/#{@file}.yml: #{e.message} (is the file not karma_client's? " \
                     "Then set config.karma_client.settings_file = false)"
    end

    def file?
      @app.paths["config"].existent.any? { |directory| File.file?(File.join(directory, "#{@file}.yml")) }
    end

    def section
      environment = ::Rails.env
      section = read
      raise ConfigurationError, "There is no section for #{environment}; `#{environment}: {}` will do" if section.nil?
      return section if section.is_a?(Hash)

      raise ConfigurationError, "The section for #{environment} must have settings and their values"
    end

    # Whatever YAML and ERB make of it.
    def read
      @app.config_for(@file)
    rescue ::SyntaxError, StandardError => e
      raise ConfigurationError, "It is no file of sections with settings: #{e.message}"
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
