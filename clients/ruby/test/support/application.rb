# frozen_string_literal: true

require_relative "../test_helper"
require "open3"
require "redis"

module KarmaTest
  # A copy of the Rails application in test/rails/application, with programs that run in it.
  class Application
    SOURCE = File.expand_path("../rails/application", __dir__)
    LIBRARY = File.expand_path("../../lib", __dir__)

    attr_reader :root

    def initialize(url: nil)
      @root = Dir.mktmpdir("karma-rails")
      FileUtils.cp_r("#{SOURCE}/.", @root)
      @environment = ENV.keys.grep(/\AKARMA_/).to_h { |name| [name, nil] }
      @environment.update("RUBYLIB" => LIBRARY, "RAILS_ENV" => "production", "KARMA_URL" => url)
      @running = []
    end

    def path(file)
      File.join(root, file)
    end

    def write(file, text)
      FileUtils.mkdir_p(File.dirname(path(file)))
      File.write(path(file), text)
    end

    # @return [String] what it printed
    def run(*command, **environment)
      output, status = Open3.capture2e(with(environment), *command, chdir: root)
      raise "#{command.first(3).join(' ')} failed:\n#{output}" unless status.success?

      output
    end

    def rails(*arguments, **environment)
      run("ruby", "bin/rails", *arguments, **environment)
    end

    # Starts a program that goes on; {#remove} ends it.
    def start(*command, **environment)
      @running << Process.spawn(with(environment), *command, chdir: root, in: File::NULL, %i[out err] => log)
    end

    # @return [String] url of a Redis that keeps nothing
    def start_redis
      port = TestNode.any_port
      start("redis-server", "--port", port.to_s, "--bind", "127.0.0.1", "--save", "")
      redis = Redis.new(port: port)
      begin
        redis.ping
      rescue Redis::CannotConnectError
        sleep 0.01
        retry
      end
      redis.close
      "redis://127.0.0.1:#{port}/0"
    end

    def log
      path("program.log")
    end

    def remove
      @running.each { |pid| Process.kill(:TERM, pid) && Process.wait(pid) }
      FileUtils.rm_rf(root)
    end

    private

    def with(environment)
      @environment.merge(environment.transform_keys(&:to_s))
    end
  end
end
