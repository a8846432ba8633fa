// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

import "./Depot.sol";
import {Parcel, Label as Tag} from "./model/Parcel.sol";
import * as Clock from "../Clock.sol";

uint256 constant LIMIT = 100;

error Missing(uint256 id);

struct Point {
    uint256 x;
}

/// @title Things that have a size.
interface ISized {
    function size() external view returns (uint256);
}

library Sizes {
    function double(uint256 value) internal pure returns (uint256) {
        return value * 2;
    }
}

/**
 * @notice Where parcels are kept.
 */
abstract contract Store is Depot, ISized {
    using Sizes for uint256;

    enum Level { High, Low }
    struct Entry { Parcel parcel; Level level; }
    type Id is uint256;

    event Opened(address indexed who, uint256 id);

    mapping(uint256 => Entry) private entries;
    uint256 public constant MAX = 10;
    address owner;

    modifier onlyOwner() {
        require(msg.sender == owner, "none");
        _;
    }

    constructor(address who) Depot(who) {
        owner = who;
    }

    /// @dev Finds a parcel.
    function get(uint256 id, Level level) public view onlyOwner returns (Parcel memory found) {
        Entry storage entry = entries[id];
        if (id > LIMIT) revert Missing(id);
        found = check(entry.parcel);
        emit Opened(msg.sender, id.double());
        Tag tag = new Tag(id);
        Clock.now();
        super.close();
        Parcel made = Parcel(id, MAX);
        return level == Level.High ? found : made;
    }

    function check(Parcel memory parcel) internal virtual returns (Parcel memory) {
        return parcel;
    }

    fallback() external payable {}
    receive() external payable {}
}

function helper(uint256 x) pure returns (uint256) {
    return x;
}
