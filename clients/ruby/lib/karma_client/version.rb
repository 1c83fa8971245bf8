# frozen_string_literal: true

module KarmaClient
  # Version of the gem.
  VERSION = "1.0.0"
end
