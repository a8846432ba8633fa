package Acme::Store;

use strict;
use warnings;
use parent qw(Acme::Base Acme::Sized);
use Acme::Model::Parcel qw(parcel_of $default);
use Acme::Clock ();
require Acme::Depot;
require "./labels.pl";
use constant LIMIT => 100;
use constant {
    HIGH => 1,
    LOW  => 2,
};

our $VERSION = '1.0';
our @EXPORT_OK = qw(report);
my %cache;

=head1 NAME

Where parcels are kept.

=cut

# Makes an empty one.
sub new {
    my ($class, %options) = @_;
    my $self = $class->SUPER::new(%options);
    return bless $self, $class;
}

# Finds a parcel.
# Slowly.
sub get {
    my ($self, $id) = @_;
    my ($found) = grep { $_->id == $id } @{ $self->{parcels} };
    for my $parcel (@$found) {
        $self->check($parcel) or return missing($id);
    }
    return Acme::Model::Parcel->new(id => $id, limit => LIMIT)->save;
}

sub missing {
    my $id = shift;
    die sprintf("none %s", $id) if $id > LIMIT;
    return Acme::Clock::now();
}

sub check($self, $parcel) { return &helper($parcel) && $cache{$parcel} }

package Acme::Store::Missing {
    sub message { return $_[0]->{message} }
}

package main;

sub report {
    my $store = Acme::Store->new;
    print $store->get(1);
    helper($VERSION);
}

1;
