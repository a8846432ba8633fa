// Package network answers: how does one get from hub to hub?
package network

import (
	"container/heap"
	"encoding/json"
	"fmt"
	"io"
)

// Link leads from one hub to another; HoursBack is zero where both directions take equally long.
type Link struct {
	From, To  string
	Km, Hours int
	HoursBack int `json:"hours_back"`
}

// Measure is what a route is chosen by.
type Measure func(Link) int

// ByKm prefers the fewest kilometres, ByHours the fewest hours.
var (
	ByKm    Measure = func(l Link) int { return l.Km }
	ByHours Measure = func(l Link) int { return l.Hours }
)

// Network is a directed graph of hubs.
type Network struct {
	cities     map[string]string
	departures map[string][]Link
}

// Read loads a network from JSON and checks that all links join hubs that exist.
func Read(source io.Reader) (*Network, error) {
	var file struct {
		Hubs  map[string]string
		Links []Link
	}
	if err := json.NewDecoder(source).Decode(&file); err != nil {
		return nil, fmt.Errorf("network: %w", err)
	}
	n := &Network{cities: file.Hubs, departures: make(map[string][]Link)}
	for _, link := range file.Links {
		for _, code := range []string{link.From, link.To} {
			if _, err := n.City(code); err != nil {
				return nil, fmt.Errorf("network: link %s-%s: %w", link.From, link.To, err)
			}
		}
		back := Link{From: link.To, To: link.From, Km: link.Km, Hours: link.Hours}
		if link.HoursBack != 0 {
			back.Hours = link.HoursBack
		}
		n.departures[link.From] = append(n.departures[link.From], link)
		n.departures[link.To] = append(n.departures[link.To], back)
	}
	return n, nil
}

// City is the city of a hub.
func (n *Network) City(code string) (string, error) {
	if city, ok := n.cities[code]; ok {
		return city, nil
	}
	return "", fmt.Errorf("no hub has the code %q", code)
}

// Route is a chain of links; it is empty where one need not move.
type Route []Link

// Km is the length of the route.
func (r Route) Km() int { return r.sum(ByKm) }

// Hours is the time that the route takes.
func (r Route) Hours() int { return r.sum(ByHours) }

func (r Route) sum(measure Measure) int {
	total := 0
	for _, link := range r {
		total += measure(link)
	}
	return total
}

// Shortest finds the route of the least measure by Dijkstra's algorithm.
func (n *Network) Shortest(from, to string, measure Measure) (Route, error) {
	for _, code := range []string{from, to} {
		if _, err := n.City(code); err != nil {
			return nil, err
		}
	}
	arrivedBy := make(map[string]Link)
	settled := make(map[string]bool)
	waiting := &frontier{{hub: from}}
	for waiting.Len() > 0 {
		here := heap.Pop(waiting).(visit)
		if settled[here.hub] {
			continue
		}
		settled[here.hub] = true
		arrivedBy[here.hub] = here.by
		if here.hub == to {
			return trace(arrivedBy, from, to), nil
		}
		for _, link := range n.departures[here.hub] {
			if !settled[link.To] {
				heap.Push(waiting, visit{link.To, here.cost + measure(link), link})
			}
		}
	}
	return nil, fmt.Errorf("no route leads from %s to %s", from, to)
}

func trace(arrivedBy map[string]Link, from, to string) Route {
	var reversed Route
	for here := to; here != from; here = arrivedBy[here].From {
		reversed = append(reversed, arrivedBy[here])
	}
	route := make(Route, len(reversed))
	for i, link := range reversed {
		route[len(reversed)-1-i] = link
	}
	return route
}
