# frozen_string_literal: true

require_relative "lib/karma_client/version"

Gem::Specification.new do |spec|
  spec.name = "karma_client"
  spec.version = KarmaClient::VERSION
  spec.authors = ["Karma contributors"]
  spec.summary = "Client of Karma, a database of counters"
  spec.description = "Counts clicks, views and the like in Karma, from Ruby and Rails. It never returns the answer " \
                     "to another request: not after a fork, not after an interrupted call, not after a timeout."
  spec.license = "MIT"
  spec.required_ruby_version = ">= 3.1"
  spec.files = Dir["lib/**/*", "sig/**/*", "docs/**/*", "README.md", "CHANGELOG.md", "LICENSE", base: __dir__]
               .reject { |file| File.directory?(File.join(__dir__, file)) }
  spec.require_paths = ["lib"]
  spec.metadata["rubygems_mfa_required"] = "true"

  spec.add_dependency "connection_pool", ">= 2.2.5", "!= 2.4.0", "< 4"
end
