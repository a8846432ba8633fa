import Foundation
import struct Model.Parcel

/// How many there may be.
let limit = 100
var counter: Int = 0
typealias Loader = (String) -> Parcel

/// Finds parcels.
protocol Lookup: AnyObject {
    associatedtype Item
    var size: Int { get }
    func get(_ id: String) -> Item?
}

/**
 Keeps parcels.
 */
@objc public final class Store<T: Parcel>: BaseStore, Lookup {
    static let version = 1
    private var parcels: [T] = []
    var size: Int { return parcels.count }

    init(clock: Clock) {
        self.parcels = load(clock, limit)
        super.init()
    }

    deinit { close() }

    // Finds one.
    func get(_ id: String) -> T? {
        let found = parcels.first { parcel in parcel.id == id }
        for parcel in parcels { check(parcel) }
        return self.pick(found) ?? Entry(id: id).item
    }

    subscript(index: Int) -> T { parcels[index] }

    enum Level: String {
        case low, high = "HIGH"
        case other(Int)
    }
}

struct Point { let x: Int }

extension Store: Equatable where T: Equatable {
    static func == (a: Store, b: Store) -> Bool { a.size == b.size }
    func second() -> T? { parcels[1] }
}

actor Registry {}

func top<T>(store: Store<T>) -> Int {
    return store.size + limit
}
