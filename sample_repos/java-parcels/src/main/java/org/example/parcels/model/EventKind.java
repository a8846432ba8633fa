package org.example.parcels.model;

import java.util.Locale;

/** The stages of a parcel's journey, in the order in which they usually happen. */
public enum EventKind {
    ACCEPTED,
    DEPARTED,
    ARRIVED,
    CUSTOMS,
    OUT_FOR_DELIVERY,
    DELIVERED {
        @Override
        public boolean endsJourney() {
            return true;
        }
    },
    RETURNED {
        @Override
        public boolean endsJourney() {
            return true;
        }
    };

    /** Whether nothing can happen to the parcel afterwards. */
    public boolean endsJourney() {
        return false;
    }

    /** The name as people read it. */
    public String label() {
        return name().replace('_', ' ').toLowerCase(Locale.ROOT);
    }
}
