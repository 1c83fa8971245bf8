# frozen_string_literal: true

# A short link.
class Link < ApplicationRecord
  has_karma_counter :clicks
end
