import type { Config } from './config';
import fs, { type Stats } from 'node:fs';
import { Injectable } from '@app/core';
export type { Config } from './config';

/** Keys of a map. */
export type Keys<T> = { [K in keyof T]: T[K] extends string ? K : never };
type Handler = (event: Stats) => void;

/** Something with a shape. */
export interface Shape<T = number> extends Base<T>, geometry.Solid {
  readonly name: string;
  area(scale: T): number;
  optional?: Handler;
}

export enum Color {
  Red = 'red',
  Green = 'green',
}

declare const VERSION: string;
declare function overload(a: string): void;
declare module 'plugins' {
  export function register(name: string): void;
}

namespace Geometry.Plane {
  export const ORIGIN = 0;
  export function distance(a: Point): number {
    return a.x - ORIGIN;
  }
}

@Injectable({ scope: 'root' })
export abstract class Service<T extends Config> extends Base<T> implements Shape, Closable<T> {
  private readonly cache: Map<string, T> = new Map<string, T>();
  static instance?: Service<Config>;
  onClose = (): void => this.close();

  constructor(private readonly config: T, public name = VERSION) {
    super();
  }

  // Scales it.
  @log()
  area(scale: number): number {
    const kind: typeof Color = Color;
    return this.compute(scale, kind.Red) as number;
  }

  abstract compute(scale: number, color: Color): unknown;

  get size(): number {
    return this.cache.size;
  }
}

export const create = async <T extends Config>(config: T): Promise<Service<T>> => {
  const stats = await fs.promises.stat(config.path);
  return build<T>(config, stats);
};

function assertString(value: unknown): asserts value is string;
function assertString(value: unknown) {
  if (typeof value !== 'string') throw new TypeError(VERSION);
}

export default function (config: Config): Shape {
  return create(config)!.shape satisfies Shape;
}
