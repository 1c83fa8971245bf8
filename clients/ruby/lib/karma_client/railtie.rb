# frozen_string_literal: true

require "active_support/ordered_options"
require_relative "rails/settings"

module KarmaClient
  # Configures the client when the application starts: from the environment, then config/karma.yml, then
  # +config.karma_client+. What an initializer file of the application says comes last. Nothing connects here, so that
  # a server may fork afterwards.
  class Railtie < ::Rails::Railtie
    config.karma_client = ActiveSupport::OrderedOptions.new

    initializer "karma_client.configure" do |app|
      KarmaClient.configure { |configuration| RailsSettings.new(app).apply(configuration) }
    end

    initializer "karma_client.log_subscriber" do
      require_relative "rails/log_subscriber"
      LogSubscriber.attach_to :karma_client
    end

    initializer "karma_client.active_record" do
      ActiveSupport.on_load(:active_record) do
        require "karma_client/rails/has_karma_counter"
        extend HasKarmaCounter
      end
    end

    initializer "karma_client.close_on_shutdown" do |app|
      app.config.after_initialize { at_exit { KarmaClient.close } }
    end
  end
end
