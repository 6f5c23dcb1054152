"""What the services say of one parcel, as their documents show it."""

TRACKING = {
    "id": "bff5a3bac79b472991a204172473a635",
    "tracking_number": "1Z9",
    "slug": "dhl-germany",
    "tag": "InTransit",
    "subtag": "InTransit_007",
    "created_at": "2026-11-20T00:00:00+00:00",
    "updated_at": "2026-11-24T10:00:00+00:00",
    "shipment_type": "Paket",
    "latest_estimated_delivery": {"type": "specific", "source": "Carrier", "datetime": "2026-11-26T23:30:00-08:00"},
    "checkpoints": [
        {
            "created_at": "2026-11-23T09:00:00+00:00",
            "checkpoint_time": "2026-11-23T09:55:00+01:00",
            "tag": "InTransit",
            "subtag": "InTransit_002",
            "location": "Köln",
        },
        {
            "created_at": "2026-11-24T08:31:00+00:00",
            "checkpoint_time": "2026-11-24T09:30:00+01:00",
            "tag": "InTransit",
            "subtag": "InTransit_007",
            "location": None,
            "city": "Bonn",
            "state": None,
            "country_region": "DEU",
        },
    ],
}
LAS_VEGAS = {"city": "Las Vegas", "state": "NV", "zip": "89101", "country": "US"}
ACCEPTED = {
    "object_created": "2026-11-23T14:36:50.943Z",
    "object_id": "265c7a7c23354da5b87b2bf52656c625",
    "status": "TRANSIT",
    "status_details": "Your shipment has been accepted.",
    "status_date": "2026-11-23T13:03:00Z",
    "substatus": {"code": "package_accepted", "text": "Accepted", "action_required": False},
    "location": LAS_VEGAS,
}
ATTEMPTED = ACCEPTED | {
    "object_id": "aab1d7c0559d43ccbba4ff8603089e56",
    "object_created": "2026-11-24T20:35:26.129Z",
    "object_updated": "2026-11-24T20:40:00.000Z",
    "status_date": "2026-11-24T18:30:00Z",
    "substatus": {"code": "delivery_attempted", "text": "Attempted", "action_required": True},
}
TRACK = {
    "carrier": "dhl_express",
    "tracking_number": "9205",
    "address_to": {"city": "Spotsylvania", "state": "VA", "zip": "22551", "country": "US"},
    "eta": "2026-11-26T00:00:00Z",
    "original_eta": "2026-11-25T00:00:00Z",
    "servicelevel": {"token": "dhl_express_worldwide", "name": "Worldwide"},
    "metadata": None,
    "messages": [],
    "tracking_status": ATTEMPTED | {"object_id": "ce48ff3d52a34e91b77aa98370182624"},
    "tracking_history": [ACCEPTED, ATTEMPTED],
    "test": False,
}
LABEL = {
    "time_iso": "2026-11-20T10:00:00+08:00",
    "time_utc": "2026-11-20T02:00:00Z",
    "description": "Order information received",
    "location": "SHENZHEN",
    "stage": "InfoReceived",
    "sub_status": "InfoReceived",
    "address": {"country": "CN", "state": None, "city": "SHENZHEN", "street": "1 Somebody's Street"},
}
PICKED_UP = LABEL | {
    "time_iso": "2026-11-21T14:30:00+08:00",
    "time_utc": "2026-11-21T06:30:00Z",
    "stage": "PickedUp",
    "sub_status": "InTransit_PickedUp",
}
CUSTOMS = LABEL | {
    "time_iso": "2026-11-24T09:30:00-05:00",
    "time_utc": "2026-11-24T14:30:00Z",
    "location": None,
    "stage": None,
    "sub_status": "InTransit_CustomsRequiringInformation",
    "address": {"country": "US", "state": "NY", "city": "New York", "street": "1 Somebody's Street"},
}
PARCEL = {
    "number": "RR123456789CN",
    "carrier": 21051,
    "tag": None,
    "track_info": {
        "latest_status": {
            "status": "InTransit",
            "sub_status": "InTransit_CustomsRequiringInformation",
            "sub_status_descr": None,
        },
        "latest_event": CUSTOMS,
        "time_metrics": {
            "days_of_transit": 3,
            "estimated_delivery_date": {
                "source": "Official",
                "from": "2026-11-26T08:00:00-05:00",
                "to": "2026-11-28T23:00:00-05:00",
            },
        },
        "tracking": {
            "providers_hash": 182180920,
            "providers": [
                {
                    "provider": {"key": 3011, "name": "China Post"},
                    "service_type": "ePacket",
                    "events": [PICKED_UP, LABEL],
                },
                {
                    "provider": {"key": 21051, "name": "USPS"},
                    "service_type": "First-Class",
                    "latest_sync_time": "2026-11-24T16:00:00Z",
                    "events": [CUSTOMS],
                },
            ],
        },
    },
}
