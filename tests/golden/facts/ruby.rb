# frozen_string_literal: true

require 'json'
require_relative '../model/parcel'
autoload :Clock, 'acme/clock'

# Everything about parcels.
module Acme
  LIMIT = 100

  # Keeps parcels.
  class Store < Base::Store
    include Enumerable
    extend Forwardable

    attr_reader :parcels, :clock
    Point = Struct.new(:x, :y)

    def initialize(clock, limit = LIMIT, *rest, level: :high, &block)
      super(clock)
      @parcels = []
      block.call(limit)
    end

    # Makes an empty one.
    def self.create
      new(Clock.system)
    end

    class << self
      def build; end
    end

    def get(id)
      found = parcels.find { |parcel| parcel.id == id }
      return missing if found.nil?

      Parcel::Entry.new(found, LIMIT).save!
    end
    alias find get
    alias_method :fetch, :get

    def empty? = parcels.empty?

    private def missing
      raise NotFound, "none"
    end
  end
end

class Acme::Level
end

def top
  Acme::Store.create.get(1)
end
