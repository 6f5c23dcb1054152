"""A parcel's whole life as each carrier tells it, newest first, with all that it tells of people on the way."""

NUMBER = "1Z023E2X0214323462"
PERSONAL = ("Lovelace", "ADA", "Ada", "Byron", "St James", "12 Sq", "SW1Y", "signature-bytes", "photo-bytes", "+44")
"""What may come out nowhere. Each of the samples has some of it in every place where its carrier puts such things."""


def ups_activity(code, day, clock, gmt=None, *, kind="I", city="", state="", country=""):
    """An `Activity`; `gmt` is (gmtDate, gmtTime, gmtOffset)."""
    address = {"city": city, "stateProvince": state, "countryCode": country, "country": country}
    address["addressLine1"] = "12 St James Sq"
    named = dict(zip(("gmtDate", "gmtTime", "gmtOffset"), gmt, strict=True)) if gmt else {}
    status = {"type": kind, "code": "XX", "description": "What happened", "statusCode": code}
    return {"date": day, "time": clock, **named, "status": status, "location": {"address": address, "slic": "8566"}}


UPS = {
    "trackingNumber": NUMBER,
    "service": {"code": "518", "levelCode": "011", "description": "UPS&#174; Ground"},
    "deliveryDate": [{"type": "SDD", "date": "20261112"}, {"type": "RDD", "date": "20261113"}],
    "deliveryInformation": {
        "location": "Front Door",
        "receivedBy": "LOVELACE ADA",
        "signature": {"image": "signature-bytes"},
        "deliveryPhoto": {"photo": "photo-bytes"},
    },
    "packageAddress": [
        {"type": "ORIGIN", "name": "Byron", "address": {"city": "Wayne", "countryCode": "US"}},
        {
            "type": "DESTINATION",
            "name": "Ada Lovelace",
            "attentionName": "Ada",
            "address": {"addressLine1": "12 St James Sq", "city": "London", "postalCode": "SW1Y", "countryCode": "GB"},
        },
    ],
    "activity": [
        ups_activity("021", "20261113", "081500", ("20261113", "08:15:00", "+00:00"), city="London", country="GB"),
        ups_activity("022", "20261112", "161500", None, kind="X", city="London", country="GB"),
        ups_activity("012", "20261111", "071356", ("2026-11-11", "71356", "+00:00"), city="Stansted", country="GB"),
        ups_activity(
            "038", "20261109", "180000", ("20261109", "230000", "-05:00"), city="Wayne", state="NJ", country="US"
        ),
        ups_activity("003", "20261109", "120000", ("20261109", "170000", "-05:00"), kind="M", country="US"),
    ],
}


def fedex_scan(kind, date, derived="IT", code="", sentence="", **where):
    """A `ScanEvent`; `where` is its city, stateOrProvinceCode and countryCode."""
    return {
        "date": date,
        "eventType": kind,
        "eventDescription": "What happened",
        "derivedStatusCode": derived,
        "exceptionCode": code,
        "exceptionDescription": sentence,
        "scanLocation": {"streetLines": ["12 St James Sq"], "postalCode": "SW1Y", "residential": True, **where},
        "locationId": "FATA",
    }


FEDEX = {
    "trackingNumberInfo": {"trackingNumber": NUMBER, "trackingNumberUniqueId": f"2460426000~{NUMBER}~FX"},
    "recipientInformation": {
        "contact": {"personName": "Ada Lovelace", "phoneNumber": "+44"},
        "address": {"streetLines": ["12 St James Sq"], "city": "FRESNO"},
    },
    "shipperInformation": {"contact": {"personName": "Byron"}},
    "latestStatusDetail": {
        "code": "HL",
        "ancillaryDetails": [{"reason": "15", "action": "Contact us to discuss pickup alternatives."}],
    },
    "dateAndTimes": [
        {"type": "ESTIMATED_DELIVERY", "dateTime": "2026-11-13T17:00:00-08:00"},
        {"type": "COMMITMENT", "dateTime": "2026-11-12T10:30:00-08:00"},
    ],
    "serviceDetail": {"type": "PRIORITY_OVERNIGHT", "description": "FedEx Priority Overnight®"},
    "deliveryDetails": {"receivedByName": "A.Lovelace", "signedByName": "Ada Lovelace"},
    "scanEvents": [
        fedex_scan("HL", "2026-11-12T13:26:00-08:00", "HL", city="CLOVIS", stateOrProvinceCode="CA", countryCode="US"),
        fedex_scan("DE", "2026-11-12T11:26:00-08:00", "DE", "08", "Customer not available or business closed"),
        fedex_scan("OD", "2026-11-12T08:55:00-08:00", city="CLOVIS", stateOrProvinceCode="CA", countryCode="US"),
        fedex_scan("PU", "2026-11-11T18:00:00-05:00", "PU", city="NEWARK", stateOrProvinceCode="NJ", countryCode="US"),
        fedex_scan("OC", "2026-11-11T09:00:00-05:00", "IN"),
    ],
}


def usps_event(code, stamp, gmt=None, offset=None, *, sentence="What happened", city="", state="", country=""):
    """A `TrackingEvent` of the second revision."""
    return {
        "eventCode": code,
        "eventType": sentence,
        "eventTimestamp": stamp,
        "GMTTimestamp": gmt,
        "GMTOffset": offset,
        "eventCity": city,
        "eventState": state,
        "eventCountry": country,
        "eventZIPCode": "99362",
        "firm": "Byron & Co",
        "recipientName": "ADA LOVELACE",
    }


USPS = {
    "mailClass": "USPS Ground Advantage<SUP>&#153;</SUP>",
    "originCountry": "US",
    "destinationCountry": "US",
    "statusCategory": "Out for Delivery",
    "statusSummary": "Your item is out for delivery to ADA LOVELACE.",
    "deliveryDateExpectation": {"predictedDeliveryDate": "2026-11-13", "expectedDeliveryDate": "2026-11-14"},
    "trackingEvents": [
        usps_event("OF", "2026-11-13T06:10:00", "2026-11-13T11:10:00Z", "-05:00", city="FAIRFAX", state="VA"),
        usps_event("02", "2026-11-12T14:15:00", None, "-5:00", city="FAIRFAX", state="VA"),
        usps_event("07", "2026-11-12T09:15:00-05:00", city="FAIRFAX", state="VA"),
        usps_event("03", "2026-11-11T20:00:00", city="SAN JUAN", state="PR"),
        usps_event("GX", "2026-11-11T09:27:00"),
    ],
}


def dhl_event(status, stamp, general="transit", *, city=None, country=None):
    """An event; its sentence may name the receiver, as DHL's own example does."""
    address = {"addressLocality": city, "countryCode": country, "streetAddress": "12 St James Sq", "postalCode": "SW1Y"}
    return {
        "timestamp": stamp,
        "statusCode": general,
        "status": status,
        "description": "Signed for by: ADA LOVELACE",
        "remark": "Ada",
        "location": {"address": address},
    }


DHL = {
    "id": NUMBER,
    "service": "parcel-de",
    "origin": {"address": {"countryCode": "DE"}},
    "destination": {"address": {"countryCode": "DE", "addressLocality": "12 St James Sq, Bonn"}},
    "estimatedTimeOfDelivery": "2026-11-13T00:00:00+01:00",
    "details": {
        "product": {"productName": "DHL PAKET (parcel)"},
        "receiver": {"@type": "Person", "name": "Ada Lovelace"},
        "proofOfDelivery": {"signed": {"name": "Ada"}, "signatureUrl": "signature-bytes"},
    },
    "events": [
        dhl_event("ZU", "2026-11-13T10:15:00", "delivered", city="12 St James Sq, Bonn"),
        dhl_event("PO", "2026-11-13T08:30:00", city="Bonn, Germany"),
        dhl_event("ZN", "2026-11-12T14:48:00", "failure"),
        dhl_event("ES", "2026-11-11T18:00:00", city="Leipzig", country="DE"),
        dhl_event("VA", "2026-11-11T09:00:00", "pre-transit"),
    ],
}
