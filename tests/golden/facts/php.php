<?php

namespace Acme\Parcels;

use Acme\Model\Parcel;
use Acme\Time\Clock as Time;
use Acme\Errors\{NotFound, Broken as Bad};
use Countable;
use function Acme\helper;

require_once __DIR__ . '/boot.php';

const LIMIT = 100;
define('VERSION', '1.0');

/**
 * Keeps parcels.
 */
#[Entity]
final class Store extends BaseStore implements Countable, Contracts\Closable
{
    use Lockable;

    public const SIZE = LIMIT;
    private ?Parcel $first = null;
    protected array $parcels, $others;

    public function __construct(private Time $clock, int $limit = self::SIZE)
    {
        parent::__construct($clock);
        $this->first = new Parcel($limit);
    }

    // Finds one.
    public static function get(string $id): Parcel|null
    {
        $found = static::all()[$id] ?? Registry::find($id);
        if (!$found instanceof Parcel) {
            throw new NotFound(helper($id));
        }
        return $found->weigh(VERSION);
    }

    abstract protected function load(): void;
}

interface Closable extends \Stringable
{
    public function close(): void;
}

trait Lockable
{
    public function lock() { return $this?->mutex->lock(); }
}

enum Level: string
{
    case Low = 'low';
    case High = 'high';

    public function label(): string { return ucfirst($this->value); }
}

function top(array $parcels): int
{
    $count = array_map(fn (Parcel $p) => $p->weight, $parcels);
    return count($count) + LIMIT;
}
