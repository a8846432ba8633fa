package org.example.parcels.routing;

/** One link of the network, in the direction of travel. */
public record Leg(String from, String to, int km, int hours) {}
