# frozen_string_literal: true

require_relative "../support/application"

# The railtie is there whether Rails or this gem comes first, also without Bundler.
class LoadOrderTest < Minitest::Test
  APPLICATION = <<~RUBY
    class Shop < Rails::Application
      config.eager_load = false
      config.logger = Logger.new(IO::NULL)
      config.karma_client.pool_size = 7
    end
    Shop.initialize!
    print [KarmaClient.configuration.pool_size, KarmaClient.configuration.instrumenter].join(" ")
  RUBY
  CONFIGURED = "7 ActiveSupport::Notifications"

  def ruby(*lines)
    output, status = Open3.capture2e({ "RUBYLIB" => KarmaTest::Application::LIBRARY, "RUBYOPT" => nil },
                                     "ruby", "-e", lines.join("\n"), chdir: Dir.tmpdir)
    assert status.success?, output
    output
  end

  def test_rails_first
    assert_equal CONFIGURED, ruby('require "rails"', 'require "karma_client"', APPLICATION)
  end

  def test_the_gem_first
    assert_equal CONFIGURED, ruby('require "karma_client"', 'require "rails"', APPLICATION)
  end

  def test_active_support_then_the_gem_then_rails
    assert_equal CONFIGURED, ruby('require "active_support"', 'require "karma_client"', 'require "rails"', APPLICATION)
  end

  def test_settings_made_before_rails_are_kept
    output = ruby('require "karma_client"', 'KarmaClient.configure { |c| c.host = "karma.example" }',
                  'require "rails"', APPLICATION, "print KarmaClient.configuration.host")
    assert_equal "#{CONFIGURED}karma.example", output
  end

  def test_a_program_without_rails_loads_nothing_of_it_and_is_not_watched
    output = ruby('require "karma_client"', "print defined?(ActiveSupport).inspect", "KarmaClient.client",
                  "print KarmaClient::LoadHook.watching?")
    assert_equal "nilfalse", output
  end
end
