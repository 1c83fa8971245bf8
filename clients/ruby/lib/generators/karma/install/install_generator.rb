# frozen_string_literal: true

require "rails/generators"

module KarmaClient
  # Generators of Rails.
  module Generators
    # rails generate karma:install
    class InstallGenerator < ::Rails::Generators::Base
      # An application may have a model Karma: no module of this name is made here.
      namespace "karma:install"
      source_root File.expand_path("templates", __dir__)
      desc "Creates config/karma.yml."

      # @return [void]
      def create_settings
        copy_file "karma.yml", "config/karma.yml"
      end
    end
  end
end
