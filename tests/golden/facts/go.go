// Package store keeps parcels.
package store

import (
	"context"
	"fmt"
	. "math"
	_ "net/http/pprof"

	log "github.com/sirupsen/logrus"
	"github.com/acme/parcels/model/v2"
)

// MaxWeight is in grams.
const MaxWeight = 30_000

const (
	Small Size = iota
	Large
)

var (
	ErrNotFound = fmt.Errorf("not found")
	registry    = map[string]Store{}
)

// Size of a parcel.
type Size int

type ID = string

type Handler func(ctx context.Context, p *model.Parcel) error

// Store keeps parcels.
type Store interface {
	fmt.Stringer
	// Get finds one.
	Get(ctx context.Context, id ID) (*model.Parcel, error)
}

// Memory is a Store in memory.
type Memory struct {
	Base
	*model.Index
	parcels map[ID]*model.Parcel // by id
	handler Handler
}

// NewMemory makes an empty store.
func NewMemory(handler Handler) *Memory {
	m := &Memory{parcels: make(map[ID]*model.Parcel), handler: handler}
	registry["memory"] = m
	return m
}

// Get implements Store.
func (m *Memory) Get(ctx context.Context, id ID) (*model.Parcel, error) {
	parcel, ok := m.parcels[id]
	if !ok {
		return nil, ErrNotFound
	}
	if err := m.handler(ctx, parcel); err != nil {
		log.Warn(err)
	}
	return parcel, nil
}

func Map[T any, R any](items []T, f func(T) R) []R {
	var result []R
	for _, item := range items {
		result = append(result, f(item))
	}
	return result
}

type List[T any] struct{ head *node[T] }

func (l *List[T]) Len() int { return int(Sqrt(float64(MaxWeight))) }
