# frozen_string_literal: true

ActiveRecord::Schema.define(version: 1) do
  create_table "links", force: true do |t|
    t.string "url", null: false
  end
end
