# frozen_string_literal: true

require_relative "catalog"

module KarmaClient
  module Testing
    # Finds fields with which a client probably meant something else than it will get.
    # @api private
    module Mistakes
      # Two names of one field.
      SAME = [%w[tree series], %w[before date]].freeze
      LONGEST_NAME = 32
      MOST_UNKNOWN = 16
      private_constant :SAME, :LONGEST_NAME, :MOST_UNKNOWN

      class << self
        # @param request [Hash]
        # @param operation [Catalog::Op]
        # @return [String, nil] what is wrong
        def in(request, operation)
          fields = operation.deletes ? Catalog::FIELDS : operation.takes
          (not_taken(request, operation.takes) if operation.deletes) || outside_range(request) ||
            several_ranges(request, operation.takes) || misspelt(request, fields)
        end

        private

        def not_taken(request, takes)
          other = ((Catalog::FIELDS - takes) & request.keys).first
          other ||= "range" if request["range"].is_a?(Hash) && request["range"].keys.difference(%w[from to]).any?
          return "Field #{other} is not taken by an op which deletes" if other

          one, same = SAME.find { |names| differ?(*request.values_at(*names)) }
          "Fields #{one} and #{same} differ" if one
        end

        # Of two that are not of the same kind, one is passed over.
        def differ?(one, same)
          one.instance_of?(same.class) && one != same
        end

        def outside_range(request)
          "Fields from and to belong inside range" if request.key?("from") || request.key?("to")
        end

        def several_ranges(request, takes)
          "Field ranges is not taken, but range is" if request.key?("ranges") && (takes & %w[range ranges]) == %w[range]
        end

        def misspelt(request, fields)
          unknown = request.keys.reject { |name| Catalog::FIELDS.include?(name) }.first(MOST_UNKNOWN)
          name = unknown.find { |written| fields.any? { |field| almost?(written, field) } }
          "Unknown field #{name}: it is almost another one" if name
        end

        def almost?(written, field)
          return false if written.bytesize > LONGEST_NAME

          written, field = [written, field].map { |name| name.downcase(:ascii).delete("_\\-. ").bytes }
          slips(written, field) <= (field.size >= 5 ? 2 : field.size / 3)
        end

        # Letters added, left out, changed or swapped with the next one, at least so many.
        def slips(from, to)
          of_beginnings = Hash.new do |known, (i, j)|
            known[[i, j]] = i.zero? || j.zero? ? i + j : steps(known, from.first(i), to.first(j)).min
          end
          of_beginnings[[from.size, to.size]]
        end

        def steps(known, from, to)
          i, j = [from, to].map(&:size)
          swap = known[[i - 2, j - 2]] + 1 if i > 1 && j > 1 && from.last(2) == to.last(2).reverse
          [known[[i - 1, j]] + 1, known[[i, j - 1]] + 1, known[[i - 1, j - 1]] + (from.last == to.last ? 0 : 1),
           *swap]
        end
      end
    end
  end
end
