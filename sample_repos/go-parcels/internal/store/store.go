// Package store answers: where are parcels kept?
package store

import (
	"errors"
	"fmt"
	"sort"

	"example.org/parcels/internal/feed"
	"example.org/parcels/internal/parcel"
)

// ErrUnknown is wrapped by the error for a number that no parcel has.
var ErrUnknown = errors.New("no such parcel")

// Memory keeps the parcels of this process. It is not safe for concurrent use.
type Memory struct {
	parcels map[string]*parcel.Parcel
}

// New returns an empty store.
func New() *Memory { return &Memory{parcels: make(map[string]*parcel.Parcel)} }

// Get finds a parcel by its number.
func (m *Memory) Get(number string) (*parcel.Parcel, error) {
	if found, ok := m.parcels[number]; ok {
		return found, nil
	}
	return nil, fmt.Errorf("%w: %s", ErrUnknown, number)
}

// All lists the parcels by number.
func (m *Memory) All() []*parcel.Parcel {
	all := make([]*parcel.Parcel, 0, len(m.parcels))
	for _, p := range m.parcels {
		all = append(all, p)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Number < all[j].Number })
	return all
}

// Ingest records scans, creating parcels on their first one, and lists the scans that were news.
func (m *Memory) Ingest(scans []feed.Scan) []feed.Scan {
	var news []feed.Scan
	for _, scan := range scans {
		p, ok := m.parcels[scan.Number]
		if !ok {
			p = &parcel.Parcel{Number: scan.Number}
			m.parcels[scan.Number] = p
		}
		if scan.Destination != "" {
			p.Destination = scan.Destination
		}
		if p.Timeline.Add(scan.Event) {
			news = append(news, scan)
		}
	}
	return news
}
