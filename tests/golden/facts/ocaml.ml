open Printf
open! Acme.Model
include Acme_base
module P = Acme.Parcel

(** Where parcels are kept. *)
type store = { parcels : P.t list; mutable limit : int }

type level =
  | High
  | Low of int

exception Missing of int

(** How many at most. *)
let limit = 100

(** Finds a parcel.
    Slowly. *)
let rec get store id =
  let found = List.find_opt (fun parcel -> P.id parcel = id) store.parcels in
  match found with
  | Some parcel when id < limit -> check parcel
  | Some _ -> get store (id - 1)
  | None -> raise (Missing id)

and check ?(level = High) parcel =
  if level = High then parcel |> P.save else parcel

let ( <+> ) left right = left.limit + right.limit

module type Sized = sig
  type t
  val size : t -> int
end

module Make (S : Sized) : Sized with type t = S.t = struct
  type t = S.t
  let size value = S.size value
end

module Boxes = Make (P)

class counter start = object (self)
  inherit Base.counter
  val mutable count = start
  method bump = count <- count + 1; self#show
  method show = printf "%d" count
end

external now : unit -> float = "acme_now"

let () =
  let made = new counter 0 in
  made#bump;
  ignore (get { parcels = []; limit } (Boxes.size made))
