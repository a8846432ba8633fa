'use strict';
const path = require('path');
const { readFile, writeFile: write } = require('./files');
import React, { useState as state } from 'react';
import * as util from '../util/index.js';
import './side-effects';
export { format, parse as parseDate } from './dates';
export * from './constants';
export * as colors from './colors';

/** How many retries. */
export const RETRIES = 3;
let counter = 0;
var legacy = util.legacy, other;

/**
 * Adds two numbers.
 * @param {number} a
 */
function add(a, b = RETRIES) {
  const local = helper(a, counter);
  return local + b;
}

export const double = (x) => add(x, x);

// Sends things.
export default class Client extends util.Base {
  static version = '1.0';
  #secret = 1;
  handler = async (event) => {
    await this.send(event);
  };

  constructor(options) {
    super(options);
    this.options = options;
  }

  get name() {
    return this.options.name;
  }

  async *stream({ url, ...rest }) {
    const { data } = await fetch(url);
    yield* util.iterate(data, rest);
  }

  static #hidden() {
    return new Client(RETRIES);
  }
}

const api = {
  get(url) {
    return path.join(url, legacy);
  },
  post: function (url, body) {
    return write(url, body);
  },
  remove: async (url) => readFile(url),
};

exports.load = function load(name) {
  return import('./plugins/core').then((m) => m[name]);
};
Client.prototype.close = function () {
  for (const item of this.items) item.close();
};

function App({ title }) {
  const [open, setOpen] = state(false);
  return <Layout.Page title={title} onClick={double}><Button open={open} /></Layout.Page>;
}

describe('add', () => {
  const counterOfTest = 1;
  it('adds', function () {
    expect(add(1, counterOfTest)).toBe(2);
  });
});
