// What the component exports: the interface `pricing` of Purser's WIT. A refusal or a list of problems is thrown, which the
// bindings make the error of a `result`.

import { read } from "./config.js";
import { price } from "./price.js";

let units;

export const pricing = {
  configure(config) {
    units = read(config);
  },
  price(event) {
    return price(units, event);
  },
};
