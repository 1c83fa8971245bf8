# frozen_string_literal: true

# Base of the models.
class ApplicationRecord < ActiveRecord::Base
  self.abstract_class = true
end
