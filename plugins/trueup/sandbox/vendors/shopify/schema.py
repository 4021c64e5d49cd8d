"""The part of the Admin schema that the simulator executes: the vendor's names and types, our words.

Every type, field, argument and nullability is the vendor's own (a contract test holds it against the
published schema); what is left out is simply not there, so asking for it is an error as it would be for a
misspelt field.
"""

from functools import cache

from graphql import GraphQLSchema, build_schema

API_VERSION = "2026-10"

_CONNECTION = "after: String, before: String, first: Int, last: Int"

_SDL = f"""
schema {{ query: QueryRoot mutation: Mutation }}

directive @idempotent(key: String!) on FIELD

scalar DateTime
scalar UnsignedInt64
scalar URL

interface Node {{ id: ID! }}
interface LegacyInteroperability {{ legacyResourceId: UnsignedInt64! }}
interface DisplayableError {{ field: [String!] message: String! }}

type QueryRoot {{
  currentAppInstallation: AppInstallation!
  inventoryItem(id: ID!): InventoryItem
  inventoryItems({_CONNECTION}, query: String, reverse: Boolean = false): InventoryItemConnection!
  inventoryLevel(id: ID!): InventoryLevel
  location(id: ID): Location
  locations(
    {_CONNECTION}, includeInactive: Boolean = false, includeLegacy: Boolean = false, query: String,
    reverse: Boolean = false, sortKey: LocationSortKeys = NAME
  ): LocationConnection!
  node(id: ID!): Node
  nodes(ids: [ID!]!): [Node]!
  order(id: ID!): Order
  orders(
    {_CONNECTION}, query: String, reverse: Boolean = false, savedSearchId: ID, sortKey: OrderSortKeys = PROCESSED_AT
  ): OrderConnection!
  ordersCount(limit: Int = 10000, query: String, savedSearchId: ID): Count
  productVariant(id: ID!): ProductVariant
  productVariants(
    {_CONNECTION}, query: String, reverse: Boolean = false, savedSearchId: ID, sortKey: ProductVariantSortKeys = ID
  ): ProductVariantConnection!
  productVariantsCount(limit: Int = 10000, query: String): Count
  shop: Shop!
  webhookSubscription(id: ID!): WebhookSubscription
}}

type Mutation {{
  inventorySetQuantities(input: InventorySetQuantitiesInput!): InventorySetQuantitiesPayload
  webhookSubscriptionCreate(
    topic: WebhookSubscriptionTopic!, webhookSubscription: WebhookSubscriptionInput!
  ): WebhookSubscriptionCreatePayload
  webhookSubscriptionDelete(id: ID!): WebhookSubscriptionDeletePayload
}}

type AppInstallation implements Node {{ accessScopes: [AccessScope!]! id: ID! }}
type AccessScope {{ description: String! handle: String! }}

type PageInfo {{ endCursor: String hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String }}
type Count {{ count: Int! precision: CountPrecision! }}
enum CountPrecision {{ AT_LEAST EXACT }}

type Shop implements Node {{
  createdAt: DateTime!
  currencyCode: CurrencyCode!
  email: String!
  ianaTimezone: String!
  id: ID!
  myshopifyDomain: String!
  name: String!
  orderNumberFormatPrefix: String!
}}
enum CurrencyCode {{ EUR GBP USD }}

type Location implements LegacyInteroperability & Node {{
  createdAt: DateTime!
  fulfillsOnlineOrders: Boolean!
  hasActiveInventory: Boolean!
  id: ID!
  inventoryLevel(includeInactive: Boolean = false, inventoryItemId: ID!): InventoryLevel
  inventoryLevels(
    {_CONNECTION}, includeInactive: Boolean = false, query: String, reverse: Boolean = false
  ): InventoryLevelConnection!
  isActive: Boolean!
  legacyResourceId: UnsignedInt64!
  name: String!
  shipsInventory: Boolean!
  updatedAt: DateTime!
}}
type LocationConnection {{ edges: [LocationEdge!]! nodes: [Location!]! pageInfo: PageInfo! }}
type LocationEdge {{ cursor: String! node: Location! }}
enum LocationSortKeys {{ ID NAME RELEVANCE }}

type Product implements LegacyInteroperability & Node {{
  createdAt: DateTime!
  handle: String!
  id: ID!
  legacyResourceId: UnsignedInt64!
  productType: String!
  status: ProductStatus!
  title: String!
  updatedAt: DateTime!
  vendor: String!
}}
enum ProductStatus {{ ACTIVE ARCHIVED DRAFT UNLISTED }}

type ProductVariant implements LegacyInteroperability & Node {{
  availableForSale: Boolean!
  barcode: String
  createdAt: DateTime!
  displayName: String!
  id: ID!
  inventoryItem: InventoryItem!
  inventoryQuantity: Int
  legacyResourceId: UnsignedInt64!
  position: Int!
  product: Product!
  sku: String
  title: String!
  updatedAt: DateTime!
}}
type ProductVariantConnection {{ edges: [ProductVariantEdge!]! nodes: [ProductVariant!]! pageInfo: PageInfo! }}
type ProductVariantEdge {{ cursor: String! node: ProductVariant! }}
enum ProductVariantSortKeys {{ ID NAME SKU TITLE }}

type InventoryItem implements LegacyInteroperability & Node {{
  createdAt: DateTime!
  id: ID!
  inventoryLevel(includeInactive: Boolean = false, locationId: ID!): InventoryLevel
  inventoryLevels(
    {_CONNECTION}, includeInactive: Boolean = false, query: String, reverse: Boolean = false
  ): InventoryLevelConnection!
  legacyResourceId: UnsignedInt64!
  requiresShipping: Boolean!
  sku: String
  tracked: Boolean!
  updatedAt: DateTime!
  variant: ProductVariant! @deprecated(reason: "Use `variants` instead.")
}}
type InventoryItemConnection {{ edges: [InventoryItemEdge!]! nodes: [InventoryItem!]! pageInfo: PageInfo! }}
type InventoryItemEdge {{ cursor: String! node: InventoryItem! }}

type InventoryLevel implements Node {{
  createdAt: DateTime!
  id: ID!
  isActive: Boolean!
  item: InventoryItem!
  location: Location!
  quantities(names: [String!]!): [InventoryQuantity!]!
  updatedAt: DateTime!
}}
type InventoryLevelConnection {{ edges: [InventoryLevelEdge!]! nodes: [InventoryLevel!]! pageInfo: PageInfo! }}
type InventoryLevelEdge {{ cursor: String! node: InventoryLevel! }}
type InventoryQuantity implements Node {{ id: ID! name: String! quantity: Int! updatedAt: DateTime }}

type Order implements LegacyInteroperability & Node {{
  cancelledAt: DateTime
  closedAt: DateTime
  createdAt: DateTime!
  currencyCode: CurrencyCode!
  displayFulfillmentStatus: OrderDisplayFulfillmentStatus!
  fulfillments(first: Int, query: String): [Fulfillment!]!
  id: ID!
  legacyResourceId: UnsignedInt64!
  lineItems({_CONNECTION}, reverse: Boolean = false): LineItemConnection!
  name: String!
  processedAt: DateTime!
  refunds(first: Int): [Refund!]!
  test: Boolean!
  updatedAt: DateTime!
}}
type OrderConnection {{ edges: [OrderEdge!]! nodes: [Order!]! pageInfo: PageInfo! }}
type OrderEdge {{ cursor: String! node: Order! }}
enum OrderSortKeys {{ CREATED_AT ID ORDER_NUMBER PROCESSED_AT UPDATED_AT }}
enum OrderDisplayFulfillmentStatus {{
  FULFILLED IN_PROGRESS ON_HOLD OPEN PARTIALLY_FULFILLED PENDING_FULFILLMENT RESTOCKED SCHEDULED UNFULFILLED
}}

type LineItem implements Node {{
  currentQuantity: Int!
  id: ID!
  name: String!
  quantity: Int!
  refundableQuantity: Int!
  requiresShipping: Boolean!
  sku: String
  title: String!
  unfulfilledQuantity: Int!
  variant: ProductVariant
}}
type LineItemConnection {{ edges: [LineItemEdge!]! nodes: [LineItem!]! pageInfo: PageInfo! }}
type LineItemEdge {{ cursor: String! node: LineItem! }}

type Fulfillment implements LegacyInteroperability & Node {{
  createdAt: DateTime!
  fulfillmentLineItems({_CONNECTION}, reverse: Boolean = false): FulfillmentLineItemConnection!
  id: ID!
  legacyResourceId: UnsignedInt64!
  location: Location
  name: String!
  order: Order!
  status: FulfillmentStatus!
  updatedAt: DateTime!
}}
enum FulfillmentStatus {{ CANCELLED ERROR FAILURE SUCCESS }}
type FulfillmentLineItem implements Node {{ id: ID! lineItem: LineItem! quantity: Int }}
type FulfillmentLineItemConnection {{
  edges: [FulfillmentLineItemEdge!]! nodes: [FulfillmentLineItem!]! pageInfo: PageInfo!
}}
type FulfillmentLineItemEdge {{ cursor: String! node: FulfillmentLineItem! }}

type Refund implements LegacyInteroperability & Node {{
  createdAt: DateTime
  id: ID!
  legacyResourceId: UnsignedInt64!
  order: Order!
  refundLineItems({_CONNECTION}, reverse: Boolean = false): RefundLineItemConnection!
  updatedAt: DateTime!
}}
type RefundLineItem {{
  id: ID
  lineItem: LineItem!
  location: Location
  quantity: Int!
  restockType: RefundLineItemRestockType!
  restocked: Boolean!
}}
enum RefundLineItemRestockType {{ CANCEL LEGACY_RESTOCK NO_RESTOCK RETURN }}
type RefundLineItemConnection {{ edges: [RefundLineItemEdge!]! nodes: [RefundLineItem!]! pageInfo: PageInfo! }}
type RefundLineItemEdge {{ cursor: String! node: RefundLineItem! }}

input InventorySetQuantitiesInput {{
  name: String!
  quantities: [InventoryQuantityInput!]!
  reason: String!
  referenceDocumentUri: String
}}
input InventoryQuantityInput {{ changeFromQuantity: Int inventoryItemId: ID! locationId: ID! quantity: Int! }}
type InventorySetQuantitiesPayload {{
  inventoryAdjustmentGroup: InventoryAdjustmentGroup
  userErrors: [InventorySetQuantitiesUserError!]!
}}
type InventorySetQuantitiesUserError implements DisplayableError {{
  code: InventorySetQuantitiesUserErrorCode
  field: [String!]
  message: String!
}}
enum InventorySetQuantitiesUserErrorCode {{
  CHANGE_FROM_QUANTITY_STALE
  COMPARE_QUANTITY_REQUIRED
  COMPARE_QUANTITY_STALE
  IDEMPOTENCY_CONCURRENT_REQUEST
  IDEMPOTENCY_KEY_PARAMETER_MISMATCH
  IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED
  INVALID_INVENTORY_ITEM
  INVALID_LOCATION
  INVALID_NAME
  INVALID_QUANTITY_NEGATIVE
  INVALID_QUANTITY_TOO_HIGH
  INVALID_QUANTITY_TOO_LOW
  INVALID_REASON
  INVALID_REFERENCE_DOCUMENT
  NON_MUTABLE_INVENTORY_ITEM
  NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR
}}
type InventoryAdjustmentGroup implements Node {{
  changes(inventoryItemIds: [ID!], locationIds: [ID!], quantityNames: [String!]): [InventoryChange!]!
  createdAt: DateTime!
  id: ID!
  reason: String!
  referenceDocumentUri: String
}}
type InventoryChange {{
  delta: Int!
  item: InventoryItem
  location: Location
  name: String!
  quantityAfterChange: Int
}}

enum WebhookSubscriptionTopic {{ INVENTORY_LEVELS_UPDATE ORDERS_CANCELLED ORDERS_CREATE ORDERS_UPDATED }}
enum WebhookSubscriptionFormat {{ JSON XML }}
input WebhookSubscriptionInput {{ format: WebhookSubscriptionFormat uri: String }}
type WebhookSubscription implements LegacyInteroperability & Node {{
  createdAt: DateTime!
  format: WebhookSubscriptionFormat!
  id: ID!
  legacyResourceId: UnsignedInt64!
  topic: WebhookSubscriptionTopic!
  updatedAt: DateTime!
  uri: String!
}}
type WebhookSubscriptionCreatePayload {{ userErrors: [UserError!]! webhookSubscription: WebhookSubscription }}
type WebhookSubscriptionDeletePayload {{ deletedWebhookSubscriptionId: ID userErrors: [UserError!]! }}
type UserError implements DisplayableError {{ field: [String!] message: String! }}
"""


@cache
def admin_schema() -> GraphQLSchema:
    """The executable subset, built once."""
    return build_schema(_SDL)
