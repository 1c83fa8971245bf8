# frozen_string_literal: true

# The tests say which of the two comes first.
require "karma_client" if ENV["KARMA_CLIENT_FIRST"]

require "rails"
require "active_record/railtie"
require "action_controller/railtie"
require "sidekiq"
require "karma_client"
require "karma_client/rails/health_check"

# A small application, with a model that counts in Karma.
class Shortener < Rails::Application
  config.load_defaults 6.1
  config.api_only = true
  config.cache_classes = !Rails.env.development?
  config.eager_load = Rails.env.production?
  config.secret_key_base = "secret" * 8
  config.logger = Logger.new(ENV.fetch("SHORTENER_LOG", IO::NULL))
  config.hosts.clear
  config.karma_client.read_timeout = 30.0 # the machine of the tests may have other things to do

  config.after_initialize { Shortener.connect if ENV["SHORTENER_CONNECTS"] }

  # Opens all connections of the pool, before the fork: the processes of Puma must not share them.
  def self.connect
    connected = Queue.new
    release = Queue.new
    clients = Array.new(KarmaClient.configuration.pool_size) do
      Thread.new { KarmaClient.with_client { |karma| (connected << karma.ping) && release.pop } }
    end
    clients.size.times { connected.pop }
    release.close
    clients.each(&:join)
  end
end
