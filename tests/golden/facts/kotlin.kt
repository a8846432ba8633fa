package com.acme.parcels

import com.acme.model.Parcel
import com.acme.model.*
import com.acme.time.Clock as Time

/** How many there may be. */
const val LIMIT = 100
var counter: Int = 0
typealias Loader = (String) -> Parcel

interface Store {
    val size: Int
    fun get(id: String): Parcel
}

enum class Level(val rank: Int) {
    LOW(1),
    HIGH(2);

    fun label() = name.lowercase()
}

/**
 * Keeps parcels in memory.
 */
@Audited("x")
open class MemoryStore<T : Parcel>(private val clock: Time, limit: Int = LIMIT) : BaseStore(clock), Store {
    private val parcels = mutableListOf<T>()
    lateinit var loader: Loader
    override val size: Int
        get() = parcels.size

    constructor() : this(Time.system())

    // Finds one.
    override fun get(id: String): Parcel {
        val found = parcels.firstOrNull { it.id == id }
        for (parcel in parcels) { check(parcel) }
        return found ?: loader(id)
    }

    companion object {
        const val VERSION = 1
        fun create(): Store = MemoryStore<Parcel>(Time.system())
    }

    inner class Cursor
}

object Registry : Listener() {
    fun register(store: Store) = stores.add(store)
}

fun <T> List<T>.second(): T = this[1]

fun main() {
    val store = MemoryStore.create()
    println(store.get("a").weight + LIMIT)
    listOf("a").forEach(::println)
}
