# Everything about parcels.
defmodule Acme.Store do
  @moduledoc """
  Keeps parcels.
  """

  use GenServer, restart: :temporary
  alias Acme.{Depot, Label}
  alias Acme.Model.Parcel
  alias Acme.Clock, as: Time
  import Acme.Query, only: [from: 2]
  require Logger
  @behaviour Acme.Backend

  @limit 100
  @type id :: integer()
  @typep box(a) :: %{inside: a}
  defstruct [:id, level: :high]

  @callback fetch(id) :: {:ok, Parcel.t()} | :error

  @doc """
  Finds a parcel.

  Slowly.
  """
  @spec get(id, keyword) :: Parcel.t() | nil
  def get(id, opts \\ []) when is_integer(id) do
    found = Map.get(opts, :found, @limit)
    %Parcel{id: id} |> Depot.load() |> missing
    Enum.map(found, &render/1)
    Enum.each(found, fn parcel -> parcel.save end)
    get(id - 1, opts)
  end

  # Nothing there.
  defp missing(nil), do: raise(ArgumentError, "none")
  defp missing(parcel), do: Logger.info("#{render(parcel)}")

  defp render(parcel), do: Time.now() && %Label{text: parcel}

  @doc false
  defmacro trace(expression) do
    quote do: unquote(expression)
  end

  defguard is_id(value) when is_integer(value)
  defdelegate size(parcels), to: Depot
  def left <~> right, do: from(left, right)

  defmodule Missing do
    defexception [:message]
    def message(error), do: error.message
  end
end

defprotocol Acme.Size do
  @doc "How large it is."
  def size(parcel)
end

defimpl Acme.Size, for: Acme.Model.Parcel do
  def size(parcel), do: parcel.level
end

defmodule Acme.StoreTest do
  use ExUnit.Case
  alias __MODULE__.Fake

  setup do
    Acme.Store.get(1)
  end

  describe "get/2" do
    test "finds v1.2", %{store: store} do
      assert Acme.Store.get(store) == Fake.parcel()
    end
  end
end
