package com.acme
package parcels

import com.acme.model.Parcel
import com.acme.time._
import com.acme.errors.{NotFound, Broken => Bad}
import scala.util.*

/** How many there may be. */
object Limits {
  val Max = 100
}

trait Lookup[T] {
  type Item
  def get(id: String): Option[T]
}

sealed abstract class Level(val rank: Int)

/**
 * Keeps parcels.
 */
@deprecated("x")
class Store[T <: Parcel](clock: Clock, private val limit: Int = Limits.Max)
    extends BaseStore(clock)
    with Lookup[T]
    with Closeable {
  private var parcels: List[T] = Nil
  lazy val size = parcels.length

  def this() = this(Clock.system)

  // Finds one.
  override def get(id: String): Option[T] = {
    val found = parcels.find(parcel => parcel.id == id)
    for (parcel <- parcels) check(parcel)
    found match {
      case Some(p) => pick(p)
      case None => throw new NotFound(id)
    }
  }
}

object Store {
  def apply(clock: Clock): Store[Parcel] = new Store[Parcel](clock)
  implicit val ordering: Ordering[Level] = Ordering.by(_.rank)
}

case class Entry(id: String, weight: Int)

enum Color {
  case Red, Green
}

extension (id: String) def parcel: Parcel = Parcel(id)
