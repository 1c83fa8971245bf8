# frozen_string_literal: true

require_relative "../test_helper"
require "active_record"
require "karma_client/rails/has_karma_counter"
require "karma_client/testing/minitest"

ActiveRecord::Base.extend KarmaClient::HasKarmaCounter

# Counters of Active Record models.
class CountersTest < Minitest::Test
  include KarmaClient::Testing::Minitest

  # A database in memory, for these models alone.
  class Record < ActiveRecord::Base
    self.abstract_class = true
    establish_connection(adapter: "sqlite3", database: ":memory:")
    connection.create_table(:owners)
    connection.create_table(:links) do |table|
      table.string :type
      table.integer :owner_id
      table.integer :number
    end
  end

  class Owner < Record
    has_many :links
  end

  class Link < Record
    belongs_to :owner
    has_karma_counter :clicks
    has_karma_counter :views, series: "page_views", key: :number, fallback: 0
  end

  class ShortLink < Link
    def clicks(range = nil)
      super + 1_000_000
    end
  end

  class StrictLink < Record
    self.table_name = "links"
    self.inheritance_column = nil
    has_karma_counter :clicks, key: ->(link) { link.number + 1 }, fallback: :raise
  end

  def setup
    [Link, Owner].each(&:delete_all)
    @owners = Array.new(3) { Owner.create! }
    @links = Array.new(9) { |index| Link.create!(owner: @owners[index % 3], number: index) }
    @links.each_with_index { |link, index| count(link.id, index + 1) if index.positive? }
  end

  def teardown
    KarmaClient::Testing.stop
    super
  end

  def count(key, value, series: "links_clicks", **options)
    KarmaClient.with_client { |client| client.increment(series: series, key: key, value: value, **options) }
  end

  def test_counting
    link = @links.first
    assert_equal 1, link.increment_clicks!
    assert_equal 5, link.increment_clicks!(5, bucket: 20_260_505)
    assert_equal 6, link.clicks
    assert_equal 5, link.clicks(20_260_501..20_260_531)
    link.decrement_clicks!(2, bucket: 20_260_505)
    assert_equal [4, 3], [link.clicks, link.clicks(Date.new(2026, 5, 5)..Date.new(2026, 5, 5))]
    link.reset_clicks!
    assert_equal 0, link.clicks
  end

  def test_a_repeat_under_an_idempotency_key
    link = @links.first
    2.times { link.increment_clicks!(idempotency_key: "click-1") }
    assert_equal 1, link.clicks
  end

  def test_series_and_key_of_choice
    link = @links[3]
    link.increment_views!
    assert_equal 1, karma.total("page_views", 3)
    assert_equal 1, link.views
  end

  # What the page of an application does, in each way of loading one.
  {
    "relation" => -> { Link.order(:id).to_a },
    "part of a relation" => -> { Link.order(:id).first(4) },
    "association" => -> { Owner.first.links.to_a },
    "includes" => -> { Owner.includes(:links).flat_map { |owner| owner.links.to_a } },
    "eager_load" => -> { Owner.eager_load(:links).flat_map { |owner| owner.links.to_a } },
    "find_by_sql" => -> { Link.find_by_sql("SELECT * FROM links") },
    "find with ids" => -> { Link.find(Link.ids.first(5)) },
    "a batch of find_each" => -> { Link.find_each(batch_size: 100).to_a }
  }.each do |name, load|
    define_method(:"test_one_request_for_a_list_from_#{name.tr(" ", "_")}") do
      links = instance_exec(&load)
      totals = assert_karma_requests(1) { links.map(&:clicks) }
      assert_operator totals.size, :>, 2
      assert_equal(links.map { |link| karma.total("links_clicks", link.id) }, totals)
    end
  end

  def test_a_record_that_is_there_twice
    links = Link.find_by_sql("SELECT * FROM links UNION ALL SELECT * FROM links")
    assert_equal [0, *2..9] * 2, assert_karma_requests(1) { links.map(&:clicks) }
    links = Link.preload_karma_counters([Link.last, Link.last], :clicks)
    karma.down { assert_equal [9, 9], links.map(&:clicks) }
    karma.down { assert_equal [nil, nil], [Link.last, Link.last].each(&:reload).map(&:clicks) }
  end

  def test_a_key_of_digits
    model = Class.new(StrictLink) { has_karma_counter :digits, series: "digits", key: ->(link) { link.number.to_s } }
    links = Array.new(2) { model.new(number: 4) }
    links.first.increment_digits!
    assert_equal [1, 1], model.preload_karma_counters(links, :digits).map(&:digits)
  end

  def test_a_subclass_with_a_counter_of_its_own_under_the_same_name
    model = Class.new(Link) do
      has_karma_counter :clicks, series: "other_clicks"
      def clicks_of_both = [clicks, method(:clicks).super_method.call]
      self.inheritance_column = nil
      def self.name = "Other"
    end
    count(@links.last.id, 5, series: "other_clicks")
    assert_equal [[0, 8], [5, 9]], model.order(:id).last(2).map(&:clicks_of_both)
    assert_equal 8, Link.find(@links[7].id).clicks
  end

  def test_one_record_is_one_request_and_is_not_asked_for_again
    link = Link.last
    assert_karma_requests(1) { 2.times { assert_equal 9, link.clicks } }
  end

  def test_each_counter_and_range_is_a_request_of_its_own
    links = Link.all.to_a
    today = Time.now.utc.to_date
    assert_karma_requests(3) { links.map { |link| [link.clicks, link.views, link.clicks(today..today)] } }
  end

  def test_records_from_several_places
    links = [Link.first, Link.last, Link.new]
    assert_karma_requests(1) { assert_equal links, Link.preload_karma_counters(links, :clicks) }
    assert_karma_requests(0) { assert_equal [0, 9, 0], links.map(&:clicks) }
  end

  def test_all_counters_of_days
    day = 20_260_505
    count(@links.last.id, 7, bucket: day)
    links = Link.preload_karma_counters(Link.all, range: day..day)
    assert_karma_requests(0) { assert_equal [7, 0], [links.last.clicks(day..day), links.last.views(day..day)] }
  end

  def test_a_write_and_a_reload_forget
    link = Link.order(:id).to_a.last
    link.clicks
    count(link.id, 1)
    assert_equal 9, link.clicks
    assert_equal 10, link.reload.clicks
    link.increment_clicks!
    assert_equal 11, link.clicks
  end

  def test_a_list_of_more_than_a_request_holds
    far = 10**18
    Link.insert_all(Array.new(1000) { |index| { number: far + index } })
    count(far + 999, 5, series: "page_views")
    links = Link.where("number >= ?", far).order(:number).to_a
    requests = karma.requests.size
    assert_equal [0, 5], [links.first.views, links.last.views]
    assert_operator karma.requests.size - requests, :<=, 7
    assert(karma.requests.drop(requests).all? { |request| JSON.generate(request).bytesize < 3500 })
  end

  def test_nothing_was_counted_yet
    KarmaClient::Testing.reset!
    assert_equal [0] * 9, Link.all.map(&:clicks)
  end

  # ActiveSupport before 7 sums [nil] to 0.
  def test_keys_of_records_that_are_not_saved
    [[nil], [false]].each do |keys|
      client = KarmaClient.client
      error = assert_raises(KarmaClient::InputError) { client.batch_sum(series: "links_clicks", keys: keys) }
      assert_equal "key must be an integer", error.message
    end
  end

  def test_records_that_were_loaded_without_their_ids
    error = assert_raises(KarmaClient::InputError) { Link.select(:number).map(&:clicks) }
    assert_equal "CountersTest::Link was loaded without its id", error.message
    assert_equal 0, Link.new.clicks
  end

  # There is nothing to look for in the table.
  def test_largest_by_a_key_that_is_no_column
    model = Class.new(Record) do
      self.table_name = "links"
      self.inheritance_column = nil
      has_karma_counter :clicks, key: :code

      def code = id * 10
    end
    assert_raises(KarmaClient::InputError) { model.top_by_clicks(3) }
    model.last.increment_clicks!
    assert_raises(KarmaClient::InputError) { model.top_by_clicks(3) }
  end

  # The write counts, only its answer is lost.
  def test_a_total_is_forgotten_when_a_write_fails
    link = @links.last
    assert_equal 9, link.clicks
    karma.lose_replies
    refute link.increment_clicks
    assert_equal 10, link.clicks
  end

  def test_karma_is_down
    calls = 0
    subscriber = ActiveSupport::Notifications.subscribe("request.karma_client") { calls += 1 }
    karma.down do
      assert_equal [nil] * 9, Link.all.map(&:clicks)
      assert_equal [0] * 9, Link.all.map(&:views)
      assert_equal 2, calls # not one timeout for each record
      assert_raises(KarmaClient::ConnectionError) { StrictLink.first.clicks }
      assert_raises(KarmaClient::ConnectionError) { Link.first.increment_clicks! }
    end
    assert_equal 9, Link.last.clicks
  ensure
    ActiveSupport::Notifications.unsubscribe(subscriber)
  end

  def test_karma_is_down_and_the_circuit_breaker_is_open
    KarmaClient.configure { |settings| settings.circuit_breaker = { failures: 1, seconds: 3600.0 } }
    karma.down { assert_equal [nil] * 9, Link.all.map(&:clicks) }
    assert_karma_requests(0) do
      assert_equal [nil] * 9, Link.all.map(&:clicks)
      refute Link.first.increment_clicks
    end
  end

  def test_a_write_that_may_fail
    link = Link.first
    assert link.increment_clicks(2)
    assert link.decrement_clicks
    karma.down { refute link.increment_clicks }
    assert_equal 1, link.clicks
    karma.fail_next("unauthorized")
    assert_raises(KarmaClient::UnauthorizedError) { link.increment_clicks }
    karma.fail_next("not_confirmed")
    assert link.increment_clicks, "it counts on the master"
  end

  def test_the_largest
    links = assert_karma_requests(1) { Link.top_by_clicks(3).each(&:clicks) }
    assert_equal [9, 8, 7], links.map(&:clicks)
    assert_equal @links.last(3).reverse, links
    assert_equal [@links[8], @links[5]], @owners[2].links.top_by_clicks(4)
    links.first.destroy
    assert_equal @links[7], Link.top_by_clicks.first
    karma.down { assert_empty Link.top_by_clicks }
  end

  def test_the_largest_of_days_under_another_key
    day = 20_260_505
    assert_empty Link.top_by_views(range: day..day)
    @links[3].increment_views!(5, bucket: day)
    assert_equal [[@links[3], 5]], Link.top_by_views(range: day..day).map { |link| [link, link.views(day..day)] }
    assert_raises(KarmaClient::InputError) { StrictLink.top_by_clicks }
  end

  def test_mistakes_are_not_hidden
    karma.fail_next("unauthorized")
    assert_raises(KarmaClient::UnauthorizedError) { Link.first.clicks }
    assert_raises(KarmaClient::InputError) { Link.create!(number: -1).views }
    assert_raises(KeyError) { Link.preload_karma_counters(@links, :sales) }
  end

  def test_a_record_that_is_not_saved
    assert_equal 0, Link.new.clicks
    assert_raises(KarmaClient::InputError) { Link.new.increment_clicks! }
  end

  def test_a_copy_has_a_counter_of_its_own
    link = Link.last
    assert_equal 9, link.clicks
    assert_equal 0, link.dup.tap(&:save!).clicks
  end

  def test_a_record_in_a_cache_has_neither_totals_nor_its_page
    links = Link.order(:id).to_a
    links.last.clicks
    cached = Marshal.dump(links.last)
    assert_operator cached.bytesize, :<, Marshal.dump(Link.last).bytesize + 100
    count(links.last.id, 1)
    assert_equal 10, Marshal.load(cached).clicks # rubocop:disable Security/MarshalLoad -- its own
  end

  def test_a_model_may_define_the_method_too
    ShortLink.create!
    assert_equal 1_000_000, ShortLink.last.clicks
    assert_equal [9, 1_000_000], Link.order(:id).last(2).map(&:clicks)
  end

  def test_a_callback_that_loads_others
    model = Class.new(Link) do
      after_find { Link.where(number: [1, 2]).load }
      def self.name = "Nested"
      self.inheritance_column = nil
    end
    links = model.order(:id).first(9)
    assert_karma_requests(1) { assert_equal [0, *2..9], links.map(&:clicks) }
  end

  def test_the_real_server
    node = TestNode.new.start
    KarmaClient.configure { |configuration| configuration.port = node.port }
    @links.each_with_index { |link, index| link.increment_clicks!(index + 1) }
    assert_equal (1..9).to_a, Link.order(:id).map(&:clicks)
  ensure
    node&.remove
  end
end
