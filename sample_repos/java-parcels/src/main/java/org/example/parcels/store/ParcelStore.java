package org.example.parcels.store;

import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import org.example.parcels.ParcelsException;
import org.example.parcels.feed.Feed.Scan;
import org.example.parcels.model.Parcel;

/** Keeps the parcels of this process. */
public final class ParcelStore {
    private final SortedMap<String, Parcel> parcels = new TreeMap<>();

    public Parcel get(String number) {
        Parcel parcel = parcels.get(number);
        if (parcel == null) {
            throw new ParcelsException.Unknown("parcel", number);
        }
        return parcel;
    }

    /** Takes a parcel out of the store. */
    public Parcel remove(String number) {
        Parcel parcel = get(number);
        parcels.remove(number);
        return parcel;
    }

    /** All parcels by number. */
    public List<Parcel> all() {
        return List.copyOf(parcels.values());
    }

    /** Records scans, creating parcels on their first one; returns the scans that were news. */
    public List<Scan> ingest(List<Scan> scans) {
        List<Scan> news = new ArrayList<>();
        for (Scan scan : scans) {
            if (parcels.computeIfAbsent(scan.number(), Parcel::new).record(scan.event())) {
                news.add(scan);
            }
        }
        return news;
    }
}
