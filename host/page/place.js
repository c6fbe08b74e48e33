// Where a connection is, on the page and in the API, and what it is made of.

import { all } from "./api.js";
import { NO_ROLE_YET } from "./form.js";

export const link = (name, rest = "") => `#/connections/${encodeURIComponent(name)}${rest}`;
export const at = (name, rest = "") => `/connections/${encodeURIComponent(name)}${rest}`;

/** Nothing, where its plugin is not active any more. */
export const connectorOf = async (connection, signal) => (await all("/connectors", { signal })).find((one) => one.id === connection.type);

/** Whether its role is still to come. */
export const reserves = (connection) => Object.values(connection.config).includes(NO_ROLE_YET);
