cors='{
  "CORSRules": [
    {
      "AllowedOrigins": [
        "*"
      ],
      "AllowedMethods": [
        "GET",
        "HEAD"
      ],
      "AllowedHeaders": [
        "*"
      ],
      "ExposeHeaders": [
        "Accept-Ranges",
        "Content-Length",
        "Content-Range",
        "ETag"
      ],
      "MaxAgeSeconds": 3600
    }
  ]
}'
case "$(aws s3api get-bucket-cors --bucket='films' 2>&1)" in
*NoSuchCORSConfiguration*) aws s3api put-bucket-cors --bucket='films' --cors-configuration "$cors" ;;
*AllowedMethods*|*Statement*) echo 'The bucket has CORS rules: add the rule of the JSON document to them.' >&2 ;;
*) aws s3api get-bucket-cors --bucket='films' ;;
esac
