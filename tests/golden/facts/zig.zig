//! Everything about parcels.
const std = @import("std");
const model = @import("model/parcel.zig");
const Parcel = @import("model/parcel.zig").Parcel;
const Allocator = std.mem.Allocator;

/// How many at most.
pub const limit: usize = 100;
var opened = false;

/// Where parcels are kept.
pub const Store = struct {
    parcels: std.ArrayList(Parcel),
    level: Level = .high,

    const Self = @This();

    /// Makes an empty one.
    pub fn init(allocator: Allocator) Store {
        return .{ .parcels = std.ArrayList(Parcel).init(allocator) };
    }

    // Finds a parcel.
    pub fn get(self: *const Self, id: u32) !?Parcel {
        for (self.parcels.items, 0..) |parcel, index| {
            if (parcel.id == id and index < limit) return parcel;
        }
        while (model.next(id)) |found| {
            return check(found) catch |err| return err;
        }
        return error.Missing;
    }
};

pub const Level = enum(u8) {
    high,
    low = 3,

    pub fn name(level: Level) []const u8 {
        return @tagName(level);
    }
};

const Event = union(enum) {
    opened: Store,
    closed,
};

pub const Error = error{ Missing, Broken };

fn check(parcel: Parcel) Error!Parcel {
    if (opened) return parcel;
    switch (parcel.level) {
        .high => |level| return Level.name(level),
        else => {},
    }
    return parcel;
}

pub fn Box(comptime T: type) type {
    return struct {
        value: T,

        pub fn unbox(self: @This()) T {
            return self.value;
        }
    };
}

extern "c" fn now() u64;

test "a store finds parcels v1.2" {
    const store = Store.init(std.testing.allocator);
    try std.testing.expect(store.get(1) == null);
}
