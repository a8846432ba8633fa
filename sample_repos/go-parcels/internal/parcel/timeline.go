package parcel

import (
	"sort"
	"time"
)

// Timeline keeps events by time. The zero value is empty and ready to use.
type Timeline struct {
	events []Event
}

// Add inserts an event behind all that are not later. It reports false if the event is known.
func (t *Timeline) Add(event Event) bool {
	for _, known := range t.events {
		if known == event {
			return false
		}
	}
	place := t.countUntil(event.At)
	t.events = append(t.events, Event{})
	copy(t.events[place+1:], t.events[place:])
	t.events[place] = event
	return true
}

// Len is the number of events.
func (t *Timeline) Len() int { return len(t.events) }

// Latest is the last event; ok is false if there is none.
func (t *Timeline) Latest() (event Event, ok bool) {
	if len(t.events) == 0 {
		return Event{}, false
	}
	return t.events[len(t.events)-1], true
}

// Until lists the events up to and including a moment. Callers may extend the list.
func (t *Timeline) Until(moment time.Time) []Event {
	return t.events[:t.countUntil(moment)]
}

// After lists the events later than a moment.
func (t *Timeline) After(moment time.Time) []Event {
	return append([]Event(nil), t.events[t.countUntil(moment):]...)
}

func (t *Timeline) countUntil(moment time.Time) int {
	return sort.Search(len(t.events), func(i int) bool { return t.events[i].At.After(moment) })
}
