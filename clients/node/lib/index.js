export { Cachewarden, Clears, View } from "./cachewarden.js";
export { credentialOf } from "./values.js";
