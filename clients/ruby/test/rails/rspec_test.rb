# frozen_string_literal: true

require_relative "../support/application"

# The helper for RSpec, in a run of RSpec.
class RSpecTest < Minitest::Test
  SPEC = <<~RUBY
    require "karma_client/testing/rspec"

    RSpec.describe "a click" do
      def click
        KarmaClient.with_client { |client| client.increment(series: "links", key: 42) }
      end

      it("counts") { expect { click }.to change { karma.total("links", 42) }.from(0).to(1) }
      it("counts again") { expect { click }.to change { karma.total("links", 42) }.from(0).to(1) }
    end
  RUBY

  def test_each_example_has_an_empty_node
    app = KarmaTest::Application.new
    app.write("spec/click_spec.rb", SPEC)
    assert_match(/2 examples, 0 failures/, app.run("rspec", "spec/click_spec.rb"))
  ensure
    app.remove
  end
end
