"Everything about parcels."
module Store

using Base.Threads
using LinearAlgebra: norm, dot
import Acme.Model.Parcel
import JSON as J
using ..Depot: load
include("clock.jl")
export Keeper, get_parcel

const LIMIT = 100
opened = false

abstract type Sized end

"""
    Keeper(parcels)

Where parcels are kept.
"""
mutable struct Keeper{T<:Real} <: Sized
    parcels::Vector{Parcel}
    level::T
    Keeper(parcels) = new(parcels, LIMIT)
end

# Finds a parcel.
# Slowly.
function get_parcel(keeper::Keeper, id::Int; strict=true)
    found = filter(parcel -> parcel.id == id, keeper.parcels)
    for parcel in found
        check(parcel) && return J.parse(parcel)
    end
    return isempty(found) ? missing_parcel(id) : load.(found)
end

"Is it right?"
check(parcel) = norm(parcel.sides) < LIMIT

function Base.show(io::IO, keeper::Keeper)
    print(io, "Keeper of $(length(keeper.parcels))")
end

size_of(keeper::Keeper)::Int = length(keeper.parcels)

macro trace(expression)
    return esc(expression)
end

missing_parcel(id::T) where {T} = throw(ArgumentError("none"))

struct Label
    text::String
end

@enum Level high low

@trace get_parcel(Keeper([]), 1)

map([1, 2]) do each
    check(each)
end

end
