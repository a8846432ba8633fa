open Acme.Model

(** Where parcels are kept. *)
type store

type level = High | Low of int

exception Missing of int

(** Finds a parcel. *)
val get : store -> int -> Parcel.t option

val ( <+> ) : store -> store -> int

module type Sized = sig
  type t
  val size : t -> int
end

module Make (S : Sized) : Sized

external now : unit -> float = "acme_now"

class counter : int -> object
  method bump : unit
end
