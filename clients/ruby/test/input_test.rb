# frozen_string_literal: true

require_relative "test_helper"

class InputTest < Minitest::Test
  Input = KarmaClient::Input

  def refused(message, &block)
    assert_equal message, assert_raises(KarmaClient::InputError, &block).message
  end

  def test_u64
    to_int = Object.new
    def to_int.to_int = 12
    def to_int.==(other) = other == 12
    assert_equal [0, 5, 12, 3, (2**64) - 1],
                 [0, "5", to_int, 3.0, "18446744073709551615"].map { |value| Input.u64(value, "key") }
    bounds = "key must be between 0 and 18446744073709551615"
    [-1, 2**64, "-1"].each { |value| refused(bounds) { Input.u64(value, "key") } }
    [1.5, "x", "1.0", "", nil, "0x10", "1_0", [], Float::NAN, Float::INFINITY, "\xff"].each do |value|
      refused("key must be an integer") { Input.u64(value, "key") }
    end
  end

  def test_text
    assert_equal "links", Input.text(:links, "series")
    refused("series is required") { Input.text(nil, "series") }
    refused("series is required") { Input.text("", "series") }
  end

  def test_days
    moscow = Time.new(2026, 5, 6, 1, 30, 0, "+03:00")
    assert_equal [20_260_505] * 6,
                 [20_260_505, Date.new(2026, 5, 5), DateTime.new(2026, 5, 5, 23), moscow, "20260505", "2026-05-05"]
                   .map { |value| Input.day(value, "bucket") }
    assert_equal 20_261_399, Input.day("20261399", "bucket")
    refused("bucket is not a valid date") { Input.day("2026-13-01", "bucket") }
    refused("bucket must be YYYYMMDD or YYYY-MM-DD") { Input.day("today", "bucket") }
    refused("bucket must be an integer, Date, Time or YYYY-MM-DD") { Input.day(nil, "bucket") }
  end

  def test_ranges
    expected = { "from" => 20_260_501, "to" => 20_260_531 }
    assert_equal expected, Input.range(Date.new(2026, 5, 1)..Date.new(2026, 5, 31), nil, nil)
    assert_equal expected, Input.range(20_260_501..20_260_531, nil, nil)
    assert_equal expected, Input.range(nil, "2026-05-01", Time.utc(2026, 5, 31, 5))
    assert_nil Input.range(nil, nil, nil)
    refused("exclusive ranges are not supported") { Input.range(1...2, nil, nil) }
    refused("both from and to are required") { Input.range(nil, 20_260_501, nil) }
    refused("both from and to are required") { Input.range(20_260_501.., nil, nil) }
    refused("range and from/to exclude each other") { Input.range(1..2, 1, nil) }
    refused("range must be a Range") { Input.range({ from: 1 }, nil, nil) }
    refused("range is required") { Input.required_range(nil, nil, nil) }
  end

  def test_several_ranges
    day = { "from" => 20_260_501, "to" => 20_260_501 }
    assert_equal({ "ranges" => [day, nil] },
                 Input.range_or_ranges(nil, nil, nil, [20_260_501..20_260_501, nil]))
    assert_equal({ "range" => day }, Input.range_or_ranges(nil, 20_260_501, 20_260_501, nil))
    assert_equal({ "range" => nil }, Input.range_or_ranges(nil, nil, nil, nil))
    refused("range and ranges exclude each other") { Input.range_or_ranges(1..2, nil, nil, [nil]) }
    refused("range and ranges exclude each other") { Input.range_or_ranges(nil, 1, 2, [nil]) }
    refused("ranges must not be empty") { Input.range_or_ranges(nil, nil, nil, []) }
    refused("ranges must be an array") { Input.range_or_ranges(nil, nil, nil, 1..2) }
    refused("range must be a Range") { Input.range_or_ranges(nil, nil, nil, [20_260_501]) }
  end

  def test_keys
    keys = [1, 2]
    assert_same keys, Input.keys(keys)
    assert_equal [1, 2, 3], Input.keys(["1", 2, 3.0])
    refused("keys must not be empty") { Input.keys([]) }
    refused("keys must be an array") { Input.keys(5) }
    refused("key must be between 0 and 18446744073709551615") { Input.keys([1, -1]) }
    refused("key must be an integer") { Input.keys([1, 1.5]) }
  end

  def test_points
    assert_equal [[1, 20_260_505, 2]] * 3,
                 Input.points([["1", "2026-05-05", 2], { key: 1, bucket: Date.new(2026, 5, 5), value: 2 },
                               { "key" => 1, "bucket" => 20_260_505, "value" => "2" }])
    refused("each item must be [key, bucket, value]") { Input.points([[1, 2]]) }
    refused("each item must be [key, bucket, value]") { Input.points([1]) }
    refused("value is required") { Input.points([{ key: 1, bucket: 2 }]) }
    refused("items must not be empty") { Input.points([]) }
  end

  def test_counters
    assert_equal [{ "series" => "a", "key" => 1 }] * 2,
                 Input.counters([{ series: :a, key: "1" }, { "series" => "a", "key" => 1 }])
    refused("key is required") { Input.counters([{ series: "a" }]) }
    refused("each item must be a Hash with series and key") { Input.counters([[1, 2]]) }
  end

  def test_limits_files_and_moments
    assert_equal [5, nil], [Input.limit("5"), Input.limit(nil)]
    refused("limit must be greater than 0") { Input.limit(0) }
    assert_equal "1_a.tree", Input.snapshot_file("1_a.tree")
    refused("file must end with .tree") { Input.snapshot_file("1_a") }
    refused("file must be a snapshot basename") { Input.snapshot_file("../1_a.tree") }
    assert_equal [5, "2026-05-05T00:00:00Z", "2026-05-05T00:00:00Z", "soon"],
                 [5, Time.utc(2026, 5, 5), Date.new(2026, 5, 5), "soon"].map { |value| Input.moment(value, "before") }
  end
end
