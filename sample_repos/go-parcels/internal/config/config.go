// Package config answers: what did the operator decide?
package config

import (
	"encoding/json"
	"fmt"
	"io"

	"example.org/parcels/internal/network"
	"example.org/parcels/internal/notify"
	"example.org/parcels/internal/parcel"
	"example.org/parcels/internal/tariff"
)

// Service is something that a customer can pay for: how the route is chosen, and the prices.
type Service struct {
	Measure network.Measure
	Rates   tariff.Rates
}

// Config holds the decisions of one installation.
type Config struct {
	Services      map[string]Service
	Quiet         notify.Quiet
	Subscriptions []notify.Subscription
}

// Default is what holds where nothing was decided.
func Default() Config {
	return Config{
		Services: map[string]Service{
			"economy": {network.ByKm, tariff.Rates{Base: 390, PerKg: 55, Per100Km: 80, FuelPermille: 75}},
			"express": {network.ByHours, tariff.Rates{Base: 890, PerKg: 120, Per100Km: 145, FuelPermille: 75}},
		},
		Quiet: notify.Quiet{From: 21, To: 7},
	}
}

// Read lays a JSON document over the defaults. Settings that do not exist are refused.
func Read(source io.Reader) (Config, error) {
	config := Default()
	file := struct {
		Quiet         *notify.Quiet
		Subscriptions []struct {
			Address string
			Events  []string
		}
	}{Quiet: &config.Quiet}
	decoder := json.NewDecoder(source)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return Config{}, fmt.Errorf("config: %w", err)
	}
	for _, entry := range file.Subscriptions {
		subscription := notify.Subscription{Address: entry.Address}
		for _, name := range entry.Events {
			kind, err := parcel.ParseKind(name)
			if err != nil {
				return Config{}, fmt.Errorf("config: %s: %w", entry.Address, err)
			}
			subscription.Kinds = append(subscription.Kinds, kind)
		}
		config.Subscriptions = append(config.Subscriptions, subscription)
	}
	return config, nil
}
