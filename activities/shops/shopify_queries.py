"""The GraphQL documents that the Shopify adapter sends, for the version in `VERSION`.

Fields, arguments and directives are those of the Admin API's schema of that version, against which every document was
validated: https://shopify.dev/docs/api/admin-graphql/2026-10. A version answers for a year at least
(https://shopify.dev/docs/api/usage/versioning).

A query may cost 1,000 points at most by what it could return (https://shopify.dev/docs/api/usage/limits), so a page
holds few orders, and of each only so many lines, parcels and refunds as an order usually has. Who has more is asked
again, by `LINES`, `PARCELS` and `REFUNDS`.
"""

from typing import Final

VERSION: Final = "2026-10"

ORDERS_A_PAGE: Final = 4
LINES_AT_ONCE: Final = 5
PARCELS_AT_ONCE: Final = 3
NUMBERS_OF_A_PARCEL: Final = 20
REFUNDS_AT_ONCE: Final = 2
PAYMENTS_AT_ONCE: Final = 2
REFUNDED_AT_ONCE: Final = 2
MOST: Final = 250
"""What a list that has no pages can be asked for at most."""

_MONEY: Final = "{ shopMoney { amount currencyCode } presentmentMoney { amount currencyCode } }"
_PAGE_INFO: Final = "pageInfo { hasNextPage endCursor }"
_LINE: Final = f"""
  id sku title name quantity currentQuantity requiresShipping isGiftCard variantTitle image {{ url }}
  sellingPlan {{ name }} originalUnitPriceSet {_MONEY}
  variant {{ legacyResourceId }} product {{ legacyResourceId productType onlineStoreUrl }}"""
_PARCEL: Final = f"""
  id status displayStatus createdAt updatedAt inTransitAt deliveredAt estimatedDeliveryAt
  trackingInfo(first: {NUMBERS_OF_A_PARCEL}) {{ number company url }}"""
_INSIDE: Final = f"{_PAGE_INFO} nodes {{ quantity lineItem {{ id }} }}"
_REFUND: Final = "legacyResourceId createdAt processedAt"
_PAYMENTS: Final = f"{_PAGE_INFO} nodes {{ id kind status parentTransaction {{ id }} amountSet {_MONEY} }}"
_ORDER: Final = f"""
  id legacyResourceId name createdAt updatedAt cancelledAt currencyCode sourceName customerLocale
  customerAcceptsMarketing email phone tags test retailLocation {{ id }} shippingLine {{ title }}
  presentmentCurrencyCode displayFinancialStatus taxesIncluded
  totalPriceSet {_MONEY} currentTotalPriceSet {_MONEY}
  totalDiscountsSet {_MONEY} currentTotalDiscountsSet {_MONEY}
  totalShippingPriceSet {_MONEY} currentShippingPriceSet {_MONEY}
  totalTaxSet {_MONEY} currentTotalTaxSet {_MONEY}
  originalTotalDutiesSet {_MONEY} currentTotalDutiesSet {_MONEY} totalTipReceivedSet {_MONEY}
  customer {{
    legacyResourceId firstName numberOfOrders
    defaultEmailAddress {{ emailAddress marketingState }}
    defaultPhoneNumber {{ phoneNumber smsMarketingConsent {{ state }} }}
  }}
  shippingAddress {{ countryCodeV2 provinceCode firstName lastName company address1 address2 zip city phone }}
  billingAddress {{ countryCodeV2 provinceCode firstName phone }}
  lineItems(first: {LINES_AT_ONCE}) {{ {_PAGE_INFO} nodes {{ {_LINE} }} }}
  fulfillments(first: {PARCELS_AT_ONCE}) {{
    {_PARCEL} fulfillmentLineItems(first: {LINES_AT_ONCE}) {{ {_INSIDE} }}
  }}
  fulfillmentOrders(first: 3) {{
    nodes {{
      status updatedAt deliveryMethod {{ methodType minDeliveryDateTime maxDeliveryDateTime }}
      assignedLocation {{ name address1 address2 city zip countryCode }}
    }}
  }}
  refunds(first: {REFUNDS_AT_ONCE}) {{
    id {_REFUND} transactions(first: {PAYMENTS_AT_ONCE}) {{ {_PAYMENTS} }}
    refundLineItems(first: {REFUNDED_AT_ONCE}) {{ {_INSIDE} }}
  }}"""

ORDERS: Final = f"""
query Orders($query: String!, $after: String) {{
  orders(first: {ORDERS_A_PAGE}, after: $after, query: $query, sortKey: UPDATED_AT) {{
    {_PAGE_INFO} nodes {{ {_ORDER} }}
  }}
}}"""
COUNT: Final = """
query OrdersCount($query: String!) { ordersCount(query: $query, limit: null) { count } }"""
ORDER: Final = f"query Order($id: ID!) {{ order(id: $id) {{ {_ORDER} }} }}"
LINES: Final = f"""
query Lines($id: ID!, $after: String) {{
  order(id: $id) {{ lineItems(first: 100, after: $after) {{ {_PAGE_INFO} nodes {{ {_LINE} }} }} }}
}}"""
PARCELS: Final = f"query Parcels($id: ID!) {{ order(id: $id) {{ fulfillments(first: {MOST}) {{ id }} }} }}"
PARCEL: Final = f"""
query Parcel($id: ID!, $after: String) {{
  fulfillment(id: $id) {{ {_PARCEL} fulfillmentLineItems(first: 200, after: $after) {{ {_INSIDE} }} }}
}}"""
REFUNDS: Final = f"query Refunds($id: ID!) {{ order(id: $id) {{ refunds(first: {MOST}) {{ id }} }} }}"
REFUND: Final = f"""
query Refund($id: ID!, $after: String) {{
  refund(id: $id) {{
    id {_REFUND} transactions(first: 100, after: $after) {{ {_PAYMENTS} }} refundLineItems(first: 100) {{ {_INSIDE} }}
  }}
}}"""

_ADDRESS: Final = "firstName lastName company address1 address2 city provinceCode countryCodeV2 zip phone"
GOODS: Final = f"""
query Goods($id: ID!, $after: String) {{
  order(id: $id) {{
    lineItems(first: 100, after: $after) {{
      {_PAGE_INFO}
      nodes {{
        id sku refundableQuantity product {{ legacyResourceId }}
        variant {{ id legacyResourceId inventoryPolicy inventoryQuantity inventoryItem {{ tracked }} }}
      }}
    }}
  }}
}}"""
MENDING: Final = f"""
query Mending($id: ID!, $key: String!) {{
  order(id: $id) {{
    id name email phone customer {{ id }}
    shippingAddress {{ {_ADDRESS} }} billingAddress {{ {_ADDRESS} }}
    metafield(namespace: "postlude", key: $key) {{ value }}
  }}
}}"""
GIVEN: Final = f"""
query Given($id: ID!) {{
  order(id: $id) {{
    refunds(first: {MOST}) {{ id legacyResourceId note createdAt totalRefundedSet {{ shopMoney {{ amount }} }} }}
  }}
}}"""
REFUNDED: Final = """
query Refunded($id: ID!) {
  refund(id: $id) {
    refundLineItems(first: 100) {
      pageInfo { hasNextPage }
      nodes {
        quantity
        lineItem { id sku variant { legacyResourceId } product { legacyResourceId } }
      }
    }
  }
}"""
CLAIM: Final = """
mutation Claim($metafields: [MetafieldsSetInput!]!) {
  metafieldsSet(metafields: $metafields) { metafields { value } userErrors { code } }
}"""
DRAFT: Final = """
query Draft($id: ID!) {
  draftOrder(id: $id) {
    id status
    order { id legacyResourceId cancelledAt fulfillments(first: 10) { status } }
  }
}"""
DRAFT_CREATE: Final = """
mutation DraftCreate($input: DraftOrderInput!) {
  draftOrderCreate(input: $input) { draftOrder { id } userErrors { field } }
}"""
DRAFT_COMPLETE: Final = """
mutation DraftComplete($id: ID!) {
  draftOrderComplete(id: $id) { draftOrder { order { legacyResourceId } } userErrors { field } }
}"""
DRAFT_DELETE: Final = """
mutation DraftDelete($input: DraftOrderDeleteInput!) {
  draftOrderDelete(input: $input) { deletedId userErrors { field } }
}"""
ORDER_CANCEL: Final = """
mutation OrderCancel($id: ID!) {
  orderCancel(orderId: $id, reason: STAFF, restock: true, notifyCustomer: false) {
    job { done } orderCancelUserErrors { code }
  }
}"""

_BOTH_MONEYS: Final = "{ shopMoney { amount } presentmentMoney { amount } }"
REFUNDABLE: Final = f"""
query Refundable($id: ID!) {{
  order(id: $id) {{
    currencyCode presentmentCurrencyCode totalPriceSet {_BOTH_MONEYS}
    refunds(first: {MOST}) {{ legacyResourceId note }}
    suggestedRefund(suggestFullRefund: true) {{
      maximumRefundableSet {_BOTH_MONEYS}
      suggestedTransactions {{
        gateway maximumRefundableSet {{ presentmentMoney {{ amount }} }} parentTransaction {{ id }}
      }}
    }}
  }}
}}"""
REFUND_CREATE: Final = """
mutation RefundCreate($input: RefundInput!, $key: String!) {
  refundCreate(input: $input) @idempotent(key: $key) { refund { legacyResourceId } userErrors { field message } }
}"""

BUYER: Final = "query Buyer($id: ID!) { order(id: $id) { customer { id } } }"
CODE: Final = "query Code($code: String!) { codeDiscountNodeByCode(code: $code) { id } }"
CODE_CREATE: Final = """
mutation CodeCreate($input: DiscountCodeBasicInput!) {
  discountCodeBasicCreate(basicCodeDiscount: $input) { codeDiscountNode { id } userErrors { code } }
}"""
CODE_DEACTIVATE: Final = """
mutation CodeDeactivate($id: ID!) { discountCodeDeactivate(id: $id) { userErrors { code } } }"""
